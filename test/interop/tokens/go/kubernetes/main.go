// Command kubernetes judges tokens with the OIDC authenticator of k8s.io/apiserver, configured as an API server is by a
// structured AuthenticationConfiguration: claim mappings and validation rules in CEL.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
	"vouchsafe.example/interop/tokens/question"
)

func main() { question.Answer(open) }

const patience = 20 * time.Second

func open(asked question.Asked) (func(string) (string, error), error) {
	ctx := context.Background()
	issuer := apiserver.JWTAuthenticator{
		Issuer: apiserver.Issuer{
			URL:                  asked.Issuer,
			Audiences:            []string{asked.Audience},
			CertificateAuthority: asked.Authorities,
		},
		ClaimValidationRules: []apiserver.ClaimValidationRule{
			{Expression: "claims.att_assurance == 'hardware'", Message: "the hardware is simulated"},
			{Expression: "claims.ear_status == 'affirming'", Message: "the evidence is not affirming"},
		},
		ClaimMappings: apiserver.ClaimMappings{
			Username: apiserver.PrefixedClaimOrExpression{Expression: "'agent:' + claims.sub"},
			Groups:   apiserver.PrefixedClaimOrExpression{Expression: "[claims.tenant]"},
			Extra: []apiserver.ExtraMapping{
				{Key: "vouchsafe.dev/policy", ValueExpression: "claims.att_policy.digest"},
			},
		},
		UserValidationRules: []apiserver.UserValidationRule{
			{Expression: "!user.username.startsWith('system:')", Message: "a reserved name"},
		},
	}
	// As kube-apiserver does before it takes a configuration.
	compiler := authenticationcel.NewDefaultCompiler()
	configuration := &apiserver.AuthenticationConfiguration{JWT: []apiserver.JWTAuthenticator{issuer}}
	if errs := validation.ValidateAuthenticationConfiguration(compiler, configuration, nil); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	authenticator, err := oidc.New(ctx, oidc.Options{
		JWTAuthenticator:     issuer,
		CAContentProvider:    authorities(asked.Authorities),
		Compiler:             compiler,
		SupportedSigningAlgs: oidc.AllValidSigningAlgorithms(),
	})
	if err != nil {
		return nil, err
	}
	if err := ready(authenticator); err != nil {
		return nil, err
	}
	return func(token string) (string, error) {
		response, ok, err := authenticator.AuthenticateToken(ctx, token)
		if err != nil {
			return "", err
		}
		if !ok {
			return "", errors.New("not a token of this issuer")
		}
		return response.User.GetName(), nil
	}, nil
}

// The API server hands them over in this form.
type authorities string

func (pem authorities) CurrentCABundleContent() []byte { return []byte(pem) }

// It fetches the discovery document in the background.
func ready(authenticator oidc.AuthenticatorTokenWithHealthCheck) error {
	var err error
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(50 * time.Millisecond) {
		if err = authenticator.HealthCheck(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the issuer was not found within %s: %w", patience, err)
}
