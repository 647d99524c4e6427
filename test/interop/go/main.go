// Command interop says what google/go-sev-guest and google/go-tdx-guest make of evidence: a list of
// cases in JSON on standard input, one verdict per case in JSON on standard output. It touches no
// network: whatever a library would fetch is part of the case. It exists for tests, which hold its
// verdicts against Vouchsafe's own.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

type request struct {
	Cases []evidenceCase `json:"cases"`
}

// evidenceCase is everything that a verdict may depend on. Bytes are base64, certificates DER.
type evidenceCase struct {
	Kind     string    `json:"kind"`
	At       time.Time `json:"at"`
	Evidence []byte    `json:"evidence"`
	// Certificates other than roots, in any order. TDX quotes carry their own.
	Certificates [][]byte `json:"certificates"`
	// CertificateTable is what the host put beside an SNP report.
	CertificateTable []byte `json:"certificateTable"`
	Roots            []root `json:"roots"`
	// Published answers requests, by address without its query: a case is about one platform.
	Published map[string]answer `json:"published"`
}

type root struct {
	// Product line of an AMD root; empty for Intel's.
	Product     string `json:"product"`
	Certificate []byte `json:"certificate"`
}

type answer struct {
	Header map[string][]string `json:"header"`
	Body   []byte              `json:"body"`
}

type verdict struct {
	Accepted bool   `json:"accepted"`
	Error    string `json:"error"`
	// Reading is what the library took the bytes to say, where it could read them.
	Reading any `json:"reading"`
}

func main() {
	answers, err := answerAll()
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
	os.Stdout.Write(answers)
}

func answerAll() ([]byte, error) {
	var asked request
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return nil, fmt.Errorf("the request on standard input is not what this command reads: %w", err)
	}
	verdicts := make([]verdict, 0, len(asked.Cases))
	for _, each := range asked.Cases {
		verdicts = append(verdicts, judge(each))
	}
	return json.Marshal(verdicts)
}

func judge(c evidenceCase) (result verdict) {
	// A library that crashes on evidence has not accepted it; the tests see in which words.
	defer func() {
		if cause := recover(); cause != nil {
			result.Accepted, result.Error = false, fmt.Sprint("panic: ", cause)
		}
	}()
	var err error
	switch c.Kind {
	case "snp":
		result.Reading, _ = readSnp(c)
		err = verifySnp(c)
	case "tdx":
		result.Reading, _ = readTdx(c)
		err = verifyTdx(c)
	default:
		err = fmt.Errorf("unknown kind of evidence %q", c.Kind)
	}
	if err != nil {
		result.Error = err.Error()
		return result
	}
	result.Accepted = true
	return result
}
