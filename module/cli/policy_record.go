package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

// maxRecord bounds a decision record, or an input document, in bytes. A longer line of
// a file of records is passed over.
const maxRecord = 4 << 20

// decisionRecord is what is read of a decision record: an engine.Record, bare or as
// the log entry that Caddy's JSON encoder makes of it. Of an input document alone
// there is nothing but Input.
type decisionRecord struct {
	ID        string           `json:"id"`
	Revision  string           `json:"revision"`
	Operation string           `json:"operation"`
	Outcome   engine.Outcome   `json:"outcome"`
	Findings  []policy.Finding `json:"findings"`
	Cause     string           `json:"cause"`
	Document  json.RawMessage  `json:"input"`

	Input *policy.Input `json:"-"`
}

var errNotRecord = errors.New("neither a decision record nor an input document")

// parseRecord reads a record or an input document.
func parseRecord(document []byte) (*decisionRecord, error) {
	var kind struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(document, &kind); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRecord, err)
	}
	if kind.Schema == policy.InputSchema {
		in, err := policy.ReadInput(document)
		return &decisionRecord{Input: in}, err
	}
	r := new(decisionRecord)
	if err := json.Unmarshal(document, r); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRecord, err)
	}
	if r.ID == "" || r.Outcome == "" {
		return nil, errNotRecord
	}
	if len(r.Document) == 0 || bytes.Equal(r.Document, []byte("null")) {
		return r, nil
	}
	var err error
	r.Input, err = policy.ReadInput(r.Document)
	return r, err
}

// readRecord reads the one record or document there is.
func readRecord(r io.Reader) (*decisionRecord, error) {
	document, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err != nil {
		return nil, err
	}
	if len(document) > maxRecord {
		return nil, usagef("larger than %d bytes: name one record of it by its id, with --records", maxRecord)
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	var first json.RawMessage
	if err := decoder.Decode(&first); err != nil {
		return nil, usagef("%w: %w", errNotRecord, err)
	}
	if decoder.More() {
		return nil, usagef("there is more than one record: name one by its id, with --records")
	}
	record, err := parseRecord(first)
	if err != nil {
		return nil, usagef("%w", err)
	}
	return record, nil
}

// findRecord looks for the last record with an id in a file of one record a line.
func findRecord(path, id string) (*decisionRecord, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var found *decisionRecord
	match := func(line []byte) bool {
		if !bytes.Contains(line, []byte(id)) {
			return false
		}
		var about struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(line, &about) != nil || about.ID != id {
			return false
		}
		r, problem := parseRecord(line)
		if found, err = r, problem; problem != nil {
			found = nil
		}
		return true
	}
	info, statErr := f.Stat()
	if statErr == nil && info.Mode().IsRegular() {
		readErr := backwards(f, info.Size(), match)
		err = errors.Join(err, readErr)
	} else {
		err = errors.Join(err, forwards(f, match))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if found == nil {
		return nil, finding(fmt.Errorf("%s: no record has the id %s", path, id))
	}
	return found, nil
}

// backwards gives the lines of a file from its end, until match says that it is enough.
func backwards(f io.ReaderAt, size int64, match func([]byte) bool) error {
	const block = 64 << 10
	var tail []byte // the beginning of what was read, up to its first line break
	long := false   // tail belongs to a line that is longer than a record
	for end := size; end > 0; {
		start := max(0, end-block)
		head := make([]byte, end-start)
		if _, err := f.ReadAt(head, start); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		end = start
		data := slices.Concat(head, tail)
		for {
			i := bytes.LastIndexByte(data, '\n')
			if i < 0 {
				break
			}
			line := data[i+1:]
			data = data[:i]
			if !long && len(line) > 0 && len(line) <= maxRecord && match(line) {
				return nil
			}
			long = false
		}
		if tail = data; len(tail) > maxRecord {
			tail, long = nil, true
		}
	}
	if !long && len(tail) > 0 {
		match(tail)
	}
	return nil
}

// forwards gives the lines of what cannot be read from its end; the last match counts.
func forwards(r io.Reader, match func([]byte) bool) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	long := false
	for {
		part, err := lines.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxRecord {
			line, long = line[:0], true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if line = bytes.TrimSuffix(line, []byte("\n")); !long && len(line) > 0 {
			match(bytes.Clone(line))
		}
		line, long = line[:0], false
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
