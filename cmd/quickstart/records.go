package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/sealgate/sealgate/module/engine"
)

const (
	recordTimeout = 10 * time.Second
	recordPoll    = 10 * time.Millisecond
)

// awaitRecord returns the decision record of one request from the gateway's log. A
// record is written as its request ends, so a client may be ahead of it.
func awaitRecord(ctx context.Context, path, id string) (engine.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	tick := time.NewTicker(recordPoll)
	defer tick.Stop()
	for {
		r, found, err := findRecord(path, id)
		if err != nil || found {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("no decision record of request %q in %s: %w", id, path, ctx.Err())
		case <-tick.C:
		}
	}
}

// findRecord looks for a record among the finished lines of the log.
func findRecord(path, id string) (r engine.Record, found bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // still being written
		}
		if !bytes.Contains(line, []byte(id)) {
			continue
		}
		var r engine.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return r, false, fmt.Errorf("decision record %q: %w", line, err)
		}
		if r.ID == id {
			return r, true, nil
		}
	}
	return r, false, nil
}
