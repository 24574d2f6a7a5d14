package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"github.com/sealgate/sealgate/module/sigv4"
)

// memory prints by how much the two proxies grow above their warm idle size.
// It reads /proc, so it is for Linux.
func (b *bench) memory(ctx context.Context) error {
	large, err := newPayload("UNSIGNED-PAYLOAD", 1<<30)
	if err != nil {
		return err
	}
	part, err := newPayload("trailer CRC32", 60<<20)
	if err != nil {
		return err
	}
	fmt.Println()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "memory above idle\tidle MiB\tPUT 1 GiB\tGET 1 GiB\t8 parts of 60 MiB at once\t")
	for _, t := range []target{b.caddy, b.gateway} {
		path := t.objectPath(0)
		warm, err := newPayload("UNSIGNED-PAYLOAD", 1<<20)
		if err != nil {
			return err
		}
		if _, err := b.measure(ctx, 50, func(n int) error { return t.put(ctx, t.objectPath(n%b.concurrency), warm) }); err != nil {
			return err
		}
		idle, err := status(t.pid, "VmRSS")
		if err != nil {
			return err
		}
		put, err := t.growth(idle, func() error { return t.put(ctx, path, large) })
		if err != nil {
			return err
		}
		get, err := t.growth(idle, func() error { return t.get(ctx, path, large.size) })
		if err != nil {
			return err
		}
		parts, err := t.growth(idle, func() error { return t.upload(ctx, 8, part) })
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t\n", t.name, mib(idle), mib(put), mib(get), mib(parts))
	}
	return table.Flush()
}

// growth returns by how many KiB the process was at most above idle during f.
func (t target) growth(idle int64, f func() error) (int64, error) {
	// "5" resets the peak to the present size: proc(5).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", t.pid), []byte("5"), 0); err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	peak, err := status(t.pid, "VmHWM")
	return peak - idle, err
}

var errNoField = errors.New("no such field")

// status returns a field of /proc/PID/status, in KiB.
func status(pid int, field string) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s: %w", field, errNoField)
}

// upload sends n parts at once, and takes the upload back.
func (t target) upload(ctx context.Context, n int, p *payload) error {
	path := fmt.Sprintf("/%s/parts", bucket)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.endpoint+path+"?uploads=", http.NoBody)
	if err != nil {
		return err
	}
	for name, values := range t.header {
		req.Header[name] = values
	}
	var created struct {
		UploadID string `xml:"UploadId"`
	}
	if err := t.do(req, sigv4.EmptySHA256, func(body io.Reader) error { return xml.NewDecoder(body).Decode(&created) }); err != nil {
		return err
	}
	id := url.QueryEscape(created.UploadID)
	group, ctx := errgroup.WithContext(ctx)
	for part := range n {
		group.Go(func() error { return t.put(ctx, fmt.Sprintf("%s?partNumber=%d&uploadId=%s", path, part+1, id), p) })
	}
	return group.Wait()
}

func mib(kib int64) float64 { return float64(kib) / 1024 }
