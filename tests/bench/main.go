// Command bench measures what the gateway costs: the store alone, a plain Caddy
// reverse_proxy before it, and Sealgate before it, side by side in one run. The
// gateway has the store encrypt (SSE-S3), or seals the objects itself (-seal);
// all three store the same bytes in the same store.
//
// The three take turns, in an order that changes every round; a figure is the
// median of the rounds. The load comes from this process, over loopback, signed
// beforehand as far as S3 allows, so that it costs little itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	store       string
	dir         string
	tls         bool
	rounds      int
	concurrency int
	sizes       []int64
	memory      bool
	seal        bool
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	started := time.Now()
	b, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.throughput(ctx); err != nil {
		return err
	}
	if err := b.latency(ctx); err != nil {
		return err
	}
	if o.memory {
		if err := b.memory(ctx); err != nil {
			return err
		}
	}
	for _, t := range []target{b.direct, b.caddy, b.gateway} {
		if n := t.retries.Load(); n > 0 {
			fmt.Printf("%s answered 503 and was asked again: %d times\n", t.name, n)
		}
	}
	fmt.Printf("\ntook %s\n", time.Since(started).Round(time.Second))
	return nil
}

func parse(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.store, "store", "versitygw", "versitygw, or minio, which really encrypts")
	flags.StringVar(&o.dir, "dir", memoryFolder(), "folder for the store's data; one in memory leaves the disk out of it")
	flags.BoolVar(&o.tls, "tls", false, "TLS on every connection")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds; a figure is their median")
	flags.IntVar(&o.concurrency, "concurrency", 4, "requests at a time")
	flags.BoolVar(&o.memory, "memory", true, "measure memory, with objects of 1 GiB")
	flags.BoolVar(&o.seal, "seal", false, "have the gateway seal the objects (cse) in place of the store")
	sizes := flags.String("sizes", "4KiB,1MiB,256MiB", "sizes of objects")
	short := flags.Bool("short", false, "three rounds, sizes of 4KiB, 1MiB and 32MiB, no memory: two minutes")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *short {
		given := make(map[string]bool)
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, v := range map[string]string{"rounds": "3", "memory": "false", "sizes": "4KiB,1MiB,32MiB"} {
			if given[name] {
				continue
			}
			if err := flags.Set(name, v); err != nil {
				return o, err
			}
		}
	}
	if o.store != "versitygw" && o.store != "minio" {
		return o, fmt.Errorf("no such store: %q", o.store)
	}
	if o.rounds < 1 || o.concurrency < 1 {
		return o, errors.New("rounds and concurrency start at 1")
	}
	for s := range strings.SplitSeq(*sizes, ",") {
		size, err := parseSize(s)
		if err != nil {
			return o, err
		}
		o.sizes = append(o.sizes, size)
	}
	return o, nil
}

func parseSize(s string) (int64, error) {
	for suffix, unit := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil || n < 1 {
				return 0, fmt.Errorf("no such size: %q", s)
			}
			return n * unit, nil
		}
	}
	return 0, fmt.Errorf("no such size: %q; it ends in KiB, MiB or GiB", s)
}

func sizeName(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	default:
		return fmt.Sprintf("%d KiB", n>>10)
	}
}

// memoryFolder is a folder that is kept in memory, or "" for the system's own.
func memoryFolder() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}
