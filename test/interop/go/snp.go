package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	spb "github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
	"google.golang.org/protobuf/encoding/protojson"
)

// verifySnp asks go-sev-guest both of its questions: is the report authentic (verify), and do report
// and certificate agree (validate). What a relying party may want is left open, but for what nobody
// should accept: debugging, migration, a VMPL other than 0.
func verifySnp(c evidenceCase) error {
	report, err := abi.ReportToProto(c.Evidence)
	if err != nil {
		return err
	}
	held, err := certificatesOf(c)
	if err != nil {
		return err
	}
	roots, err := amdRoots(c.Roots, held)
	if err != nil {
		return err
	}
	attestation := &spb.Attestation{
		Report: report,
		CertificateChain: &spb.CertificateChain{
			VcekCert: derOf(held["SEV-VCEK"]),
			VlekCert: derOf(held["SEV-VLEK"]),
		},
	}
	if err := verify.SnpAttestation(attestation, &verify.Options{
		CheckRevocations:    true,
		DisableCertFetching: true,
		Getter:              amdService{c.Published},
		Now:                 c.At,
		TrustedRoots:        roots,
	}); err != nil {
		return err
	}
	vmpl := 0
	return validate.SnpAttestation(attestation, &validate.Options{
		GuestPolicy: abi.SnpPolicy{SMT: true, CXLAllowed: true},
		VMPL:        &vmpl,
	})
}

// certificatesOf gives the certificates of a case by their common name, which tells AMD's roles apart.
func certificatesOf(c evidenceCase) (map[string]*x509.Certificate, error) {
	ders := c.Certificates
	if len(c.CertificateTable) > 0 {
		table := new(abi.CertTable)
		if err := table.Unmarshal(c.CertificateTable); err != nil {
			return nil, err
		}
		for _, entry := range table.Entries {
			ders = append(ders, entry.RawCert)
		}
	}
	held := map[string]*x509.Certificate{}
	for _, der := range ders {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("could not read a certificate: %w", err)
		}
		held[certificate.Subject.CommonName] = certificate
	}
	return held, nil
}

// amdRoots joins each ARK with the intermediates supplied for its product. They are no roots to the
// library either: it validates the path from the VEK to the ARK. Fresh values for every case, since
// the library keeps a revocation list in them.
func amdRoots(roots []root, held map[string]*x509.Certificate) (map[string][]*trust.AMDRootCerts, error) {
	trusted := map[string][]*trust.AMDRootCerts{}
	for _, each := range roots {
		ark, err := x509.ParseCertificate(each.Certificate)
		if err != nil {
			return nil, fmt.Errorf("could not read the root of %s: %w", each.Product, err)
		}
		line := trust.AMDRootCertsProduct(each.Product)
		line.ProductCerts = &trust.ProductCerts{
			Ark:  ark,
			Ask:  held["SEV-"+each.Product],
			Asvk: held["SEV-VLEK-"+each.Product],
		}
		trusted[each.Product] = append(trusted[each.Product], line)
	}
	return trusted, nil
}

func derOf(certificate *x509.Certificate) []byte {
	if certificate == nil {
		return nil
	}
	return certificate.Raw
}

type snpReading struct {
	Report json.RawMessage `json:"report"`
	Policy abi.SnpPolicy   `json:"policy"`
	Signer abi.SignerInfo  `json:"signer"`
	// PlatformInfo is nil where the library knows not every bit.
	PlatformInfo *abi.SnpPlatformInfo `json:"platformInfo"`
	ReportedTcb  kds.TCBParts         `json:"reportedTcb"`
}

func readSnp(c evidenceCase) (any, error) {
	report, err := abi.ReportToProto(c.Evidence)
	if err != nil {
		return nil, err
	}
	fields, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(report)
	if err != nil {
		return nil, err
	}
	policy, err := abi.ParseSnpPolicy(report.GetPolicy())
	if err != nil {
		return nil, err
	}
	signer, err := abi.ParseSignerInfo(report.GetSignerInfo())
	if err != nil {
		return nil, err
	}
	reading := snpReading{
		Report:      fields,
		Policy:      policy,
		Signer:      signer,
		ReportedTcb: kds.DecomposeTCBVersion(kds.TCBVersion(report.GetReportedTcb())),
	}
	if platformInfo, err := abi.ParseSnpPlatformInfo(report.GetPlatformInfo()); err == nil {
		reading.PlatformInfo = &platformInfo
	}
	return reading, nil
}
