package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/sealgate/sealgate/module/sigv4"
)

// Latencies of single requests, one at a time: a range out of a large object
// that the gateway has not read before, and a listing of 1,000 keys.
const (
	rangeSize  = 64 << 10
	rangeReads = 24
	listedKeys = 1000
	listReads  = 10
)

// latency prints a table of how long single requests take.
func (b *bench) latency(ctx context.Context) error {
	large := b.sizes[len(b.sizes)-1]
	if large < 16<<20 {
		return nil
	}
	fmt.Printf("\none request at a time, median; ms\n\n")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "operation\tdirect\tcaddy\tsealgate\tsealgate/caddy\t")
	err := b.latencyRow(table, fmt.Sprintf("64 KiB of %s", sizeName(large)), rangeReads, func(t target, n int) error {
		return t.getRange(ctx, t.objectPath(n%b.concurrency), int64(n)*rangeSize*3+1)
	})
	if err != nil {
		return err
	}
	for _, t := range []target{b.direct, b.gateway} { // what each way lists, it wrote
		for n := range listedKeys {
			p, err := newPayload(modes[0], 1024)
			if err != nil {
				return err
			}
			if err := t.put(ctx, fmt.Sprintf("/%s/listed-%s/%04d", bucket, t.name, n), p); err != nil {
				return err
			}
		}
	}
	if err := b.latencyRow(table, "list 1,000 keys", listReads, func(t target, _ int) error {
		prefix := "direct"
		if t.name == "sealgate" {
			prefix = t.name
		}
		return t.list(ctx, "listed-"+prefix+"/")
	}); err != nil {
		return err
	}
	return table.Flush()
}

func (b *bench) latencyRow(table io.Writer, name string, reads int, request func(target, int) error) error {
	ways := []target{b.direct, b.caddy, b.gateway}
	took := make(map[string][]float64)
	for n := range reads {
		for i := range ways {
			way := ways[(i+n)%len(ways)]
			began := time.Now()
			if err := request(way, n); err != nil {
				return err
			}
			took[way.name] = append(took[way.name], float64(time.Since(began).Microseconds())/1000)
		}
	}
	direct, caddy, sealgate := median(took["direct"]), median(took["caddy"]), median(took["sealgate"])
	_, err := fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t\n", name, direct, caddy, sealgate, sealgate/caddy)
	fmt.Fprintf(os.Stderr, "%s: sealgate/caddy %.2f\n", name, sealgate/caddy)
	return err
}

// getRange reads 64 KiB of an object.
func (t target) getRange(ctx context.Context, path string, first int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.endpoint+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, first+rangeSize-1))
	return t.do(req, sigv4.EmptySHA256, func(body io.Reader) error {
		n, err := io.Copy(io.Discard, body)
		if err == nil && n != rangeSize {
			err = fmt.Errorf("%w: %d, want %d", errLength, n, rangeSize)
		}
		return err
	})
}

// list lists a prefix and counts what is there.
func (t target) list(ctx context.Context, prefix string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.endpoint+"/"+bucket+"?list-type=2&prefix="+prefix, http.NoBody)
	if err != nil {
		return err
	}
	return t.do(req, sigv4.EmptySHA256, func(body io.Reader) error {
		var listing struct{ Contents []struct{ Size int64 } }
		if err := xml.NewDecoder(body).Decode(&listing); err != nil {
			return err
		}
		for _, o := range listing.Contents {
			if o.Size != 1024 {
				return fmt.Errorf("%w: %d, want 1024", errLength, o.Size)
			}
		}
		if len(listing.Contents) != listedKeys {
			return fmt.Errorf("%w: %d keys", errLength, len(listing.Contents))
		}
		return nil
	})
}
