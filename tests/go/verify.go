// Verifies a merestone log from a copy of what is published, with nothing of
// merestone and only golang.org/x/mod/sumdb/note and tlog.
//
//	verify KEY log FOLDER [OLDER-CHECKPOINT]
//	verify KEY proof FILE
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	check(err)
	return data
}

// tree reads a checkpoint: a note of three lines, signed by the log.
func tree(key string, msg []byte) tlog.Tree {
	verifier, err := note.NewVerifier(key)
	check(err)
	signed, err := note.Open(msg, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		check(fmt.Errorf("not a checkpoint of %s", verifier.Name()))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}
}

// tiles reads tiles by the paths of c2sp.org/tlog-tiles, which lack the height.
type tiles struct{ folder string }

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(t.folder, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// bundle checks each entry of a bundle against its hash in the tree.
func bundle(folder string, hashes tlog.HashReader, first, size int64) {
	width := min(size-first, 256)
	path := tlog.Tile{H: 8, L: 0, N: first / 256, W: int(width)}.Path()
	data := read(filepath.Join(folder, strings.Replace(path, "tile/8/0/", "tile/entries/", 1)))
	var places []int64
	for i := first; i < first+width; i++ {
		places = append(places, tlog.StoredHashIndex(0, i))
	}
	found, err := hashes.ReadHashes(places)
	check(err)
	for i, hash := range found {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			check(fmt.Errorf("entry %d is missing", first+int64(i)))
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		if hash != tlog.RecordHash(data[2:end]) {
			check(fmt.Errorf("entry %d is not the one that was signed", first+int64(i)))
		}
		data = data[end:]
	}
	if len(data) > 0 {
		check(fmt.Errorf("there is more than entry %d", first+width-1))
	}
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func log(key, folder string, older []string) {
	now := tree(key, read(filepath.Join(folder, "checkpoint")))
	hashes := tlog.TileHashReader(now, tiles{folder})
	for first := int64(0); first < now.N; first += 256 {
		bundle(folder, hashes, first, now.N)
	}
	for _, path := range older {
		old := tree(key, read(path))
		if old.N > now.N || (old.N == now.N && old.Hash != now.Hash) {
			check(fmt.Errorf("the log had %d entries, and these are not among its %d", old.N, now.N))
		}
		if old.N > 0 && old.N < now.N {
			proof, err := tlog.ProveTree(now.N, old.N, hashes)
			check(err)
			check(tlog.CheckTree(proof, now.N, now.Hash, old.N, old.Hash))
		}
	}
	fmt.Println("ok", now.N)
}

// proof checks a c2sp.org/tlog-proof whose further data is the entry.
func proof(key, path string) {
	head, checkpoint, _ := bytes.Cut(read(path), []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		check(fmt.Errorf("not a proof"))
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	check(err)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	check(err)
	var steps tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		steps = append(steps, hash)
	}
	now := tree(key, checkpoint)
	check(tlog.CheckRecord(steps, now.N, now.Hash, index, tlog.RecordHash(entry)))
	fmt.Println("ok", index)
}

func main() {
	if len(os.Args) == 4 && os.Args[2] == "proof" {
		proof(os.Args[1], os.Args[3])
	} else if len(os.Args) >= 4 && os.Args[2] == "log" {
		log(os.Args[1], os.Args[3], os.Args[4:])
	} else {
		check(fmt.Errorf("usage: verify KEY log FOLDER [OLDER-CHECKPOINT] | verify KEY proof FILE"))
	}
}
