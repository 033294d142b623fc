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

// path is where a tile stands: c2sp.org/tlog-tiles leaves the height out.
func path(tile tlog.Tile, row string) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/8/%d/", tile.L), "tile/"+row+"/", 1)
}

// log builds the tree from the entries alone, and holds checkpoint and tiles
// against it. (TileHashReader is not used: that of x/mod 0.7.0 leaves tiles
// unchecked where several peaks of the tree share one.)
func log(key, folder string, older []string) {
	now := tree(key, read(filepath.Join(folder, "checkpoint")))
	var stored []tlog.Hash
	hashes := tlog.HashReaderFunc(func(places []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, place := range places {
			found = append(found, stored[place])
		}
		return found, nil
	})
	for first := int64(0); first < now.N; first += 256 {
		width := now.N - first
		if width > 256 {
			width = 256
		}
		bundle := tlog.Tile{H: 8, L: 0, N: first / 256, W: int(width)}
		data := read(filepath.Join(folder, path(bundle, "entries")))
		for i := first; i < first+width; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				check(fmt.Errorf("entry %d is missing", i))
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			more, err := tlog.StoredHashes(i, data[2:end], hashes)
			check(err)
			stored, data = append(stored, more...), data[end:]
		}
		if len(data) > 0 {
			check(fmt.Errorf("there is more than entry %d", first+width-1))
		}
	}
	all := tlog.NewTiles(8, 0, now.N)
	for i, tile := range all {
		if i+1 < len(all) && all[i+1].L == tile.L && all[i+1].N == tile.N {
			continue // narrower ones of earlier checkpoints may be gone
		}
		wanted, err := tlog.ReadTileData(tile, hashes)
		check(err)
		if !bytes.Equal(wanted, read(filepath.Join(folder, path(tile, fmt.Sprint(tile.L))))) {
			check(fmt.Errorf("%s does not fit the entries", path(tile, fmt.Sprint(tile.L))))
		}
	}
	root, err := tlog.TreeHash(now.N, hashes)
	check(err)
	if root != now.Hash {
		check(fmt.Errorf("the entries are not those that were signed"))
	}
	for _, path := range older {
		old := tree(key, read(path))
		if old.N > now.N {
			check(fmt.Errorf("the log had %d entries and has %d", old.N, now.N))
		}
		root, err := tlog.TreeHash(old.N, hashes)
		check(err)
		if root != old.Hash {
			check(fmt.Errorf("the first %d entries are others than before", old.N))
		}
	}
	fmt.Println("ok", now.N)
}

// proof checks a c2sp.org/tlog-proof whose further data is the entry.
func proof(key, file string) {
	head, checkpoint, _ := bytes.Cut(read(file), []byte("\n\n"))
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
