// Package question is what the tests ask each library, and how it answers: JSON on standard input and output.
package question

import (
	"encoding/json"
	"fmt"
	"os"
)

// Asked names an issuer and holds tokens, all to be judged as one relying party would.
type Asked struct {
	Issuer string `json:"issuer"`
	// PEM of the test's own authority, for the issuer's TLS certificate.
	Authorities string `json:"authorities"`
	Audience    string `json:"audience"`
	// Only SPIFFE: where the bundle is, and whose it is.
	BundleURL   string `json:"bundleUrl"`
	TrustDomain string `json:"trustDomain"`
	// Only SPIFFE: which kind of SVID the tokens are to be, jwt or wit.
	Kind   string   `json:"kind"`
	Tokens []string `json:"tokens"`
}

// Verdict is what the library said of one token.
type Verdict struct {
	Accepted bool `json:"accepted"`
	// What the library took the token to say: its subject.
	Subject string `json:"subject"`
	// Empty when accepted.
	Error string `json:"error"`
}

// Answer judges every token and ends the program.
func Answer(open func(Asked) (func(token string) (subject string, err error), error)) {
	if err := answer(open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answer(open func(Asked) (func(string) (string, error), error)) error {
	var asked Asked
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	judge, err := open(asked)
	if err != nil {
		return err
	}
	verdicts := make([]Verdict, len(asked.Tokens))
	for i, token := range asked.Tokens {
		subject, err := judge(token)
		verdicts[i] = Verdict{Accepted: err == nil, Subject: subject}
		if err != nil {
			verdicts[i].Error = err.Error()
		}
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}
