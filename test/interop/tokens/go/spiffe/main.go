// Command spiffe judges tokens as JWT-SVIDs or WIT-SVIDs with github.com/spiffe/go-spiffe, by the bundle that it fetches
// itself.
package main

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/spiffe/go-spiffe/v2/exp/svid/witsvid"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"vouchsafe.example/interop/tokens/question"
)

func main() { question.Answer(open) }

func open(asked question.Asked) (func(string) (string, error), error) {
	domain, err := spiffeid.TrustDomainFromString(asked.TrustDomain)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(asked.Authorities)) {
		return nil, errors.New("no authority could be read")
	}
	bundle, err := federation.FetchBundle(
		context.Background(), domain, asked.BundleURL, federation.WithWebPKIRoots(roots),
	)
	if err != nil {
		return nil, err
	}
	if _, ok := bundle.SequenceNumber(); !ok {
		return nil, errors.New("the bundle has no sequence number")
	}
	if _, ok := bundle.RefreshHint(); !ok {
		return nil, errors.New("the bundle has no refresh hint")
	}
	if asked.Kind == "wit" {
		return func(token string) (string, error) {
			svid, err := witsvid.ParseAndValidate(token, bundle)
			if err != nil {
				return "", err
			}
			return svid.ID.String(), nil
		}, nil
	}
	return func(token string) (string, error) {
		svid, err := jwtsvid.ParseAndValidate(token, bundle, []string{asked.Audience})
		if err != nil {
			return "", err
		}
		return svid.ID.String(), nil
	}, nil
}
