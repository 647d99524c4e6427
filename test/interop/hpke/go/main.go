// Command hpke opens a release envelope as an agent in Go would, and seals messages for us to open. It reads a list of
// questions as JSON on standard input and writes the list of answers: nothing in it shares code with ours.
package main

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
)

type question struct {
	// For opening: a compact JWS, the signer's point and the recipient's scalar, base64url.
	Envelope string `json:"envelope"`
	X        string `json:"x"`
	Y        string `json:"y"`
	D        string `json:"d"`
	// For sealing: the recipient's point, uncompressed, and what is sealed; base64url.
	Recipient string `json:"recipient"`
	Info      string `json:"info"`
	AAD       string `json:"aad"`
	Plaintext string `json:"plaintext"`
}

type answer struct {
	Secret string `json:"secret"`
	Enc    string `json:"enc"`
	Ct     string `json:"ct"`
	Error  string `json:"error"`
}

type claims struct {
	Resource string `json:"resource"`
	Version  int    `json:"version"`
	Token    string `json:"token"`
	Policy   string `json:"policy"`
	Proof    string `json:"proof"`
	HPKE     struct {
		Enc string `json:"enc"`
		Ct  string `json:"ct"`
	} `json:"hpke"`
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answers := make([]answer, len(questions))
	for i, q := range questions {
		var err error
		if q.Envelope != "" {
			answers[i].Secret, err = open(q)
		} else {
			answers[i].Enc, answers[i].Ct, err = seal(q)
		}
		if err != nil {
			answers[i].Error = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(q question) (string, error) {
	parts := strings.Split(q.Envelope, ".")
	if len(parts) != 3 {
		return "", errors.New("not three parts")
	}
	signature, err := decode(parts[2])
	if err != nil || len(signature) != 64 {
		return "", errors.New("no signature")
	}
	x, errX := decode(q.X)
	y, errY := decode(q.Y)
	if errX != nil || errY != nil {
		return "", errors.New("no key")
	}
	signer := ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(&signer, digest[:], r, s) {
		return "", errors.New("somebody else signed it")
	}
	payload, err := decode(parts[1])
	if err != nil {
		return "", err
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", err
	}
	enc, errEnc := decode(c.HPKE.Enc)
	ct, errCt := decode(c.HPKE.Ct)
	d, errD := decode(q.D)
	if errEnc != nil || errCt != nil || errD != nil {
		return "", errors.New("not base64url")
	}
	scalar, err := ecdh.P256().NewPrivateKey(d)
	if err != nil {
		return "", err
	}
	key, err := hpke.NewDHKEMPrivateKey(scalar)
	if err != nil {
		return "", err
	}
	info := []byte("vouchsafe/release/v1")
	recipient, err := hpke.NewRecipient(enc, key, hpke.HKDFSHA256(), hpke.AES256GCM(), info)
	if err != nil {
		return "", err
	}
	// The members in the order of their names, as JCS has them; none of these values needs escaping.
	aad := fmt.Sprintf(`{"jti":%q,"policy":%q,"proof":%q,"resource":%q,"version":"%d"}`,
		c.Token, c.Policy, c.Proof, c.Resource, c.Version)
	secret, err := recipient.Open([]byte(aad), ct)
	if err != nil {
		return "", err
	}
	return encode(secret), nil
}

func seal(q question) (string, string, error) {
	var fields [4][]byte
	for i, text := range []string{q.Recipient, q.Info, q.AAD, q.Plaintext} {
		bytes, err := decode(text)
		if err != nil {
			return "", "", err
		}
		fields[i] = bytes
	}
	point, err := ecdh.P256().NewPublicKey(fields[0])
	if err != nil {
		return "", "", err
	}
	key, err := hpke.NewDHKEMPublicKey(point)
	if err != nil {
		return "", "", err
	}
	enc, sender, err := hpke.NewSender(key, hpke.HKDFSHA256(), hpke.AES256GCM(), fields[1])
	if err != nil {
		return "", "", err
	}
	ct, err := sender.Seal(fields[2], fields[3])
	if err != nil {
		return "", "", err
	}
	return encode(enc), encode(ct), nil
}

func decode(text string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(text) }

func encode(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }
