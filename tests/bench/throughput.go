package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
)

// requests is how many requests one measurement makes: enough to last, few
// enough for the whole to end.
func requests(size int64, concurrency int) int {
	const volume = 64 << 20
	return max(concurrency, min(400, int(volume/size)))
}

// throughput prints a table of what the three ways carry.
func (b *bench) throughput(ctx context.Context) error {
	fmt.Printf("%d requests at a time, median of %d rounds; MiB/s from 1 MiB on, else requests/s\n\n", b.concurrency, b.rounds)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "size\toperation\tdirect\tcaddy\tsealgate\tsealgate/caddy\tcaddy/direct\t")
	for _, size := range b.sizes {
		for _, mode := range modes {
			p, err := newPayload(mode, size)
			if err != nil {
				return err
			}
			if err := b.row(ctx, table, "PUT "+mode, size, func(t target, n int) error {
				return t.put(ctx, t.objectPath(n%b.concurrency), p)
			}); err != nil {
				return err
			}
		}
		if err := b.row(ctx, table, "GET", size, func(t target, n int) error {
			return t.get(ctx, t.objectPath(n%b.concurrency), size)
		}); err != nil {
			return err
		}
	}
	return table.Flush()
}

// objectPath is where a way keeps its objects: what one seals the others do not
// understand.
func (t target) objectPath(n int) string { return fmt.Sprintf("/%s/%s-%d", bucket, t.name, n) }

// row measures one kind of request over all three ways.
func (b *bench) row(ctx context.Context, table *tabwriter.Writer, name string, size int64, request func(target, int) error) error {
	ways := []target{b.direct, b.caddy, b.gateway}
	n := requests(size, b.concurrency)
	rates := make(map[string][]float64)
	for round := range b.rounds {
		for i := range ways {
			way := ways[(i+round)%len(ways)]
			if round == 0 { // connections and caches, not counted
				if err := request(way, 0); err != nil {
					return err
				}
			}
			took, err := b.measure(ctx, n, func(i int) error { return request(way, i) })
			if err != nil {
				return err
			}
			rates[way.name] = append(rates[way.name], float64(n)/took.Seconds())
		}
	}
	direct, caddy, sealgate := median(rates["direct"]), median(rates["caddy"]), median(rates["sealgate"])
	unit := 1.0
	if size >= 1<<20 {
		unit = float64(size) / (1 << 20)
	}
	_, err := fmt.Fprintf(table, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t\n",
		sizeName(size), name, direct*unit, caddy*unit, sealgate*unit, sealgate/caddy, caddy/direct)
	fmt.Fprintf(os.Stderr, "%s %s: sealgate/caddy %.2f\n", sizeName(size), name, sealgate/caddy)
	return err
}

// measure makes n requests, so many at a time.
func (b *bench) measure(ctx context.Context, n int, request func(int) error) (time.Duration, error) {
	group, ctx := errgroup.WithContext(ctx)
	started := time.Now()
	for worker := range b.concurrency {
		group.Go(func() error {
			for i := worker; i < n; i += b.concurrency {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := request(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(started), err
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
