// Puts tokens to github.com/veraison/ear and answers what it read, or why it would not.
package main

import (
	"encoding/json"
	"os"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/veraison/ear"
)

type question struct {
	Key    json.RawMessage `json:"key"`
	Tokens []string        `json:"tokens"`
}

type submodule struct {
	Status string           `json:"status"`
	Vector *ear.TrustVector `json:"vector"`
}

type verdict struct {
	Error   string               `json:"error"`
	Nonce   string               `json:"nonce"`
	Submods map[string]submodule `json:"submods"`
}

func main() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	key, err := jwk.ParseKey(asked.Key)
	if err != nil {
		panic(err)
	}
	verdicts := make([]verdict, 0, len(asked.Tokens))
	for _, token := range asked.Tokens {
		verdicts = append(verdicts, judge(token, key))
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		panic(err)
	}
}

func judge(token string, key jwk.Key) verdict {
	var result ear.AttestationResult
	if err := result.Verify([]byte(token), jwa.ES256, key); err != nil {
		return verdict{Error: err.Error()}
	}
	read := verdict{Submods: map[string]submodule{}}
	if result.Nonce != nil {
		read.Nonce = *result.Nonce
	}
	for name, appraisal := range result.Submods {
		read.Submods[name] = submodule{appraisal.Status.String(), appraisal.TrustVector}
	}
	return read
}
