package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/google/go-tdx-guest/abi"
	"github.com/google/go-tdx-guest/pcs"
	pb "github.com/google/go-tdx-guest/proto/tdx"
	"github.com/google/go-tdx-guest/validate"
	"github.com/google/go-tdx-guest/verify"
	"google.golang.org/protobuf/encoding/protojson"
)

// verifyTdx asks go-tdx-guest both of its questions: is the quote authentic and its platform up to date
// (verify), and are its fixed bits right (validate). Nothing is expected of the TD beyond that.
func verifyTdx(c evidenceCase) error {
	quote, err := abi.QuoteToProto(c.Evidence)
	if err != nil {
		return err
	}
	// A nil pool would mean Intel's own root.
	roots := x509.NewCertPool()
	for _, each := range c.Roots {
		certificate, err := x509.ParseCertificate(each.Certificate)
		if err != nil {
			return fmt.Errorf("could not read a root: %w", err)
		}
		roots.AddCert(certificate)
	}
	if err := verify.TdxQuote(quote, &verify.Options{
		CheckRevocations: true,
		GetCollateral:    true,
		Getter:           intelService{c.Published},
		Now:              c.At,
		TrustedRoots:     roots,
	}); err != nil {
		return err
	}
	return validate.TdxQuote(quote, &validate.Options{})
}

type tdxReading struct {
	Quote json.RawMessage    `json:"quote"`
	Pck   *pcs.PckExtensions `json:"pck"`
}

func readTdx(c evidenceCase) (any, error) {
	parsed, err := abi.QuoteToProto(c.Evidence)
	if err != nil {
		return nil, err
	}
	quote, ok := parsed.(*pb.QuoteV4)
	if !ok {
		return nil, fmt.Errorf("a quote of type %T", parsed)
	}
	fields, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(quote)
	if err != nil {
		return nil, err
	}
	chain := quote.GetSignedData().GetCertificationData().GetQeReportCertificationData().
		GetPckCertificateChainData().GetPckCertChain()
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("no PCK certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	extensions, err := pcs.PckCertificateExtensions(leaf)
	if err != nil {
		return nil, err
	}
	return tdxReading{Quote: fields, Pck: extensions}, nil
}
