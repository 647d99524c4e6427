// Command cap judges tokens with github.com/hashicorp/cap/jwt, as Vault and OpenBao do for a role of the type jwt with
// oidc_discovery_url.
package main

import (
	"context"

	"github.com/hashicorp/cap/jwt"
	"vouchsafe.example/interop/tokens/question"
)

func main() { question.Answer(open) }

func open(asked question.Asked) (func(string) (string, error), error) {
	ctx := context.Background()
	keys, err := jwt.NewOIDCDiscoveryKeySet(ctx, asked.Issuer, asked.Authorities)
	if err != nil {
		return nil, err
	}
	validator, err := jwt.NewValidator(keys)
	if err != nil {
		return nil, err
	}
	expected := jwt.Expected{
		Issuer:    asked.Issuer,
		Audiences: []string{asked.Audience},
		// Vault takes RS256 unless a role says otherwise.
		SigningAlgorithms: []jwt.Alg{jwt.RS256},
		// The role's leeways: none.
		ExpirationLeeway: -1,
		NotBeforeLeeway:  -1,
		ClockSkewLeeway:  -1,
	}
	return func(token string) (string, error) {
		claims, err := validator.Validate(ctx, token, expected)
		if err != nil {
			return "", err
		}
		subject, _ := claims["sub"].(string)
		return subject, nil
	}, nil
}
