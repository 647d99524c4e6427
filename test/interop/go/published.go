package main

import (
	"fmt"
	"strings"
)

// published plays the vendor's service from what the case says is published there.
type published map[string]answer

func (p published) find(url string) (answer, error) {
	address, _, _ := strings.Cut(url, "?")
	found, ok := p[address]
	if !ok {
		return answer{}, fmt.Errorf("nothing is published at %s", address)
	}
	return found, nil
}

// amdService and intelService are the getters of the two libraries, whose signatures differ.
type amdService struct{ published }

func (s amdService) Get(url string) ([]byte, error) {
	found, err := s.find(url)
	return found.Body, err
}

type intelService struct{ published }

func (s intelService) Get(url string) (map[string][]string, []byte, error) {
	found, err := s.find(url)
	return found.Header, found.Body, err
}
