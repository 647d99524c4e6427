// The standard library's HPKE, to which test/interop/hpke brings our envelopes. No modules. Nothing here is shipped.
module vouchsafe.example/interop/hpke

go 1.26.0
