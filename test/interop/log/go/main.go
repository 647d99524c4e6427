// Reads a log over HTTP as strangers do: Go's own checksum-database code (golang.org/x/mod/sumdb) for notes, tiles and
// proofs, transparency-dev/merkle for the same proofs once more, transparency-dev/formats for cosignatures. One question on
// stdin, one answer on stdout; whatever does not hold is the answer's error.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	formats "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	// Where `checkpoint` and `tile/` are.
	Prefix string
	// The log's verifier key, and those of witnesses who must have cosigned.
	Key       string
	Witnesses []string
	// Hex, as tokens name them: GET proof?leaf= must prove each.
	Leaves []string
	// A checkpoint seen before; empty: none.
	Older string
	// Of a witness that is to be shown the checkpoint; empty: none.
	Submit string
}

type answer struct {
	Size      int64    `json:"size"`
	Cosigners []string `json:"cosigners"`
	Error     string   `json:"error"`
}

func main() {
	var q question
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		panic(err)
	}
	a := answer{Cosigners: []string{}}
	if err := judge(q, &a); err != nil {
		a.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		panic(err)
	}
}

func judge(q question, a *answer) error {
	log := logAt{q.Prefix}
	text, err := log.get("checkpoint")
	if err != nil {
		return err
	}
	verifiers, err := verifiersOf(q)
	if err != nil {
		return err
	}
	tree, err := opened(text, verifiers, a)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	a.Size = tree.N
	hashes := tlog.TileHashReader(tree, log)
	if err := checkEntries(log, tree, hashes); err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	for _, leaf := range q.Leaves {
		if err := checkLeaf(log, leaf, verifiers); err != nil {
			return fmt.Errorf("leaf %s: %w", leaf, err)
		}
	}
	if q.Older != "" {
		older, err := opened([]byte(q.Older), verifiers[:1], &answer{})
		if err != nil {
			return fmt.Errorf("older checkpoint: %w", err)
		}
		if err := checkConsistency(log, older, tree, hashes); err != nil {
			return fmt.Errorf("consistency: %w", err)
		}
	}
	if q.Submit != "" {
		if err := submit(q, tree, text, verifiers[1:]); err != nil {
			return fmt.Errorf("witness: %w", err)
		}
	}
	return nil
}

func verifiersOf(q question) ([]note.Verifier, error) {
	log, err := note.NewVerifier(q.Key)
	if err != nil {
		return nil, fmt.Errorf("key of the log: %w", err)
	}
	verifiers := []note.Verifier{log}
	for _, text := range q.Witnesses {
		witness, err := formats.NewVerifierForCosignatureV1(text)
		if err != nil {
			return nil, fmt.Errorf("key of a witness: %w", err)
		}
		verifiers = append(verifiers, witness)
	}
	return verifiers, nil
}

// The log must have signed; who else did is noted.
func opened(text []byte, verifiers []note.Verifier, a *answer) (tlog.Tree, error) {
	signed, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, err
	}
	isSigned := false
	for _, sig := range signed.Sigs {
		if sig.Name == verifiers[0].Name() && sig.Hash == verifiers[0].KeyHash() {
			isSigned = true
		} else {
			a.Cosigners = append(a.Cosigners, sig.Name)
		}
	}
	lines := strings.Split(signed.Text, "\n")
	if !isSigned || len(lines) != 4 || lines[0] != verifiers[0].Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifiers[0].Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// Every entry, against every leaf hash of the tiles, which TileHashReader holds against the root.
func checkEntries(log logAt, tree tlog.Tree, hashes tlog.HashReader) error {
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the tiles have another root")
	}
	for first := int64(0); first < tree.N; first += 256 {
		width := min(tree.N-first, 256)
		tile := tlog.Tile{H: 8, L: -1, N: first / 256, W: int(width)}
		bundle, err := log.get(pathOf(tile))
		if err != nil {
			return err
		}
		for index := first; index < first+width; index++ {
			if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
				return fmt.Errorf("entry %d is cut off", index)
			}
			end := 2 + int(bundle[0])<<8 + int(bundle[1])
			stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			if err != nil {
				return err
			}
			if tlog.RecordHash(bundle[2:end]) != stored[0] {
				return fmt.Errorf("entry %d hashes to something else", index)
			}
			bundle = bundle[end:]
		}
		if len(bundle) > 0 {
			return fmt.Errorf("a bundle has %d bytes too many", len(bundle))
		}
	}
	return nil
}

type leafProof struct {
	Leaf       string
	Index      int64
	Path       []string
	Checkpoint string
	Denial     *struct {
		Position int64
		Path     []string
		Entry    string
	}
}

func checkLeaf(log logAt, leaf string, verifiers []note.Verifier) error {
	text, err := log.get("proof?leaf=" + leaf)
	if err != nil {
		return err
	}
	var p leafProof
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	tree, err := opened([]byte(p.Checkpoint), verifiers, &answer{})
	if err != nil {
		return err
	}
	logged, err := hashOf(leaf)
	if err != nil {
		return err
	}
	if d := p.Denial; d != nil {
		var batch struct{ Count, Root string }
		if err := json.Unmarshal([]byte(d.Entry), &batch); err != nil {
			return err
		}
		count, err := strconv.ParseInt(batch.Count, 10, 64)
		if err != nil {
			return err
		}
		root, err := hashOf(batch.Root)
		if err != nil {
			return err
		}
		if err := checkInclusion(d.Path, count, root, d.Position, logged); err != nil {
			return fmt.Errorf("in its batch: %w", err)
		}
		logged = tlog.RecordHash([]byte(d.Entry))
	}
	if err := checkInclusion(p.Path, tree.N, tree.Hash, p.Index, logged); err != nil {
		return err
	}
	own, err := tlog.ProveRecord(tree.N, p.Index, tlog.TileHashReader(tree, log))
	if err != nil {
		return err
	}
	return same(p.Path, own)
}

func checkInclusion(path []string, size int64, root tlog.Hash, index int64, leaf tlog.Hash) error {
	hashes, raw, err := hashesOf(path)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(hashes, size, root, index, leaf); err != nil {
		return fmt.Errorf("sumdb/tlog: %w", err)
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), uint64(size), leaf[:], raw, root[:]); err != nil {
		return fmt.Errorf("transparency-dev/merkle: %w", err)
	}
	return nil
}

func checkConsistency(log logAt, older, newer tlog.Tree, hashes tlog.HashReader) error {
	text, err := log.get(fmt.Sprintf("consistency?from=%d&to=%d", older.N, newer.N))
	if err != nil {
		return err
	}
	var p struct{ Proof []string }
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	path, raw, err := hashesOf(p.Proof)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(tlog.TreeProof(path), newer.N, newer.Hash, older.N, older.Hash); err != nil {
		return fmt.Errorf("sumdb/tlog: %w", err)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(older.N), uint64(newer.N), raw, older.Hash[:], newer.Hash[:]); err != nil {
		return fmt.Errorf("transparency-dev/merkle: %w", err)
	}
	own, err := tlog.ProveTree(newer.N, older.N, hashes)
	if err != nil {
		return err
	}
	return same(p.Proof, own)
}

// As a log shows itself to a witness for the first time: C2SP tlog-witness.
func submit(q question, tree tlog.Tree, checkpoint []byte, witnesses []note.Verifier) error {
	body := append([]byte("old 0\n\n"), checkpoint...)
	response, err := http.Post(q.Submit+"/add-checkpoint", "text/plain", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != 200 {
		return fmt.Errorf("it answered %d: %s", response.StatusCode, lines)
	}
	bare, _, _ := bytes.Cut(checkpoint, []byte("\n\n"))
	signed, err := note.Open(append(append(bare, "\n\n"...), lines...), note.VerifierList(witnesses...))
	if err != nil {
		return err
	}
	if len(signed.Sigs) != 1 {
		return fmt.Errorf("%d cosignatures hold", len(signed.Sigs))
	}
	_, err = formats.CoSigV1Timestamp(signed.Sigs[0])
	return err
}

// A log over HTTP, as x/mod's TileReader. It checks what it is given against the tree.
type logAt struct{ prefix string }

func (log logAt) Height() int                         { return 8 }
func (log logAt) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (log logAt) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		hashes, err := log.get(pathOf(tile))
		if err != nil {
			return nil, err
		}
		all = append(all, hashes)
	}
	return all, nil
}

// x/mod's path has the height, which C2SP leaves out, and `data` for `entries`.
func pathOf(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), "tile/8/")
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

func (log logAt) get(path string) ([]byte, error) {
	response, err := http.Get(log.prefix + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return nil, fmt.Errorf("%s: it answered %d", path, response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, 1<<20))
}

func hashOf(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	raw, err := hex.DecodeString(text)
	if err == nil && len(raw) != tlog.HashSize {
		err = fmt.Errorf("%q is no hash", text)
	}
	copy(hash[:], raw)
	return hash, err
}

func hashesOf(texts []string) ([]tlog.Hash, [][]byte, error) {
	var hashes []tlog.Hash
	var raw [][]byte
	for _, text := range texts {
		hash, err := hashOf(text)
		if err != nil {
			return nil, nil, err
		}
		hashes = append(hashes, hash)
		raw = append(raw, hash[:])
	}
	return hashes, raw, nil
}

func same[P ~[]tlog.Hash](given []string, own P) error {
	var texts []string
	for _, hash := range own {
		texts = append(texts, hex.EncodeToString(hash[:]))
	}
	if strings.Join(given, " ") != strings.Join(texts, " ") {
		return fmt.Errorf("x/mod makes another proof from the tiles: %s", base64.StdEncoding.EncodeToString([]byte(strings.Join(texts, " "))))
	}
	return nil
}
