package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

const (
	defaultListen = "127.0.0.1:9000"
	defaultBucket = "sealgate-quickstart"
	defaultRegion = "us-east-1"
)

// options are what the command line and the environment say.
type options struct {
	check   bool
	listen  string   // host:port, or "" for the default or any free port
	dir     string   // absolute, or "" for a temporary folder
	store   *url.URL // nil for the embedded store
	region  string
	bucket  string
	policy  string // directory of rules in place of the demo's; absolute, or ""
	posture string // file in place of the demo's; absolute, or ""
}

// own reports whether the policy is somebody else's than the demo's, about which the
// tour can say nothing.
func (o options) own() bool { return o.policy != "" || o.posture != "" }

const usage = `Usage: quickstart [flags]

Starts an S3 store and the gateway before it, shows what the gateway does to a few
requests, and stays up until Ctrl-C.

`

// parseOptions reads the command line. Errors of the flags themselves have been
// printed to out by the time it returns.
func parseOptions(args []string, out io.Writer, getenv func(string) string) (options, error) {
	o := options{region: defaultRegion}
	var store string
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.check, "check", false, "check every fact that is shown, then end: status 0 if all hold, 1 if not")
	flags.StringVar(&o.listen, "listen", "", "loopback `address` of the gateway (default "+defaultListen+", or a free port if that one is taken)")
	flags.StringVar(&o.dir, "dir", "", "`folder` for configuration, log and data; kept at the end, and used again if it has them (default a temporary one)")
	flags.StringVar(&store, "store", "", "`URL` of a real S3 endpoint to use in place of the embedded store; credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, region from AWS_REGION")
	flags.StringVar(&o.policy, "policy", "", "`folder` with rules of your own, in place of the demo's; the tour is left out")
	flags.StringVar(&o.posture, "posture", "", "posture `file` of your own, which grants the principal "+principal+" something; the tour is left out")
	flags.StringVar(&o.bucket, "bucket", defaultBucket, "`name` of the bucket; created if there is none")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := o.complete(store, getenv); err != nil {
		return options{}, err
	}
	return o, nil
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (o *options) complete(store string, getenv func(string) string) (err error) {
	if o.listen != "" && !isLoopback(o.listen) {
		return fmt.Errorf("-listen %s: want a loopback address such as %s: the demo speaks plain HTTP", o.listen, defaultListen)
	}
	if !bucketName.MatchString(o.bucket) {
		return fmt.Errorf("-bucket %s: want 3 to 63 lower-case letters, digits, dots and hyphens", o.bucket)
	}
	for name, path := range map[string]*string{"dir": &o.dir, "policy": &o.policy, "posture": &o.posture} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
		if _, err := os.Stat(*path); err != nil && path != &o.dir {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	if store == "" {
		return nil
	}
	o.store, err = url.Parse(store)
	if err != nil || o.store.Host == "" || o.store.Scheme != "http" && o.store.Scheme != "https" {
		return fmt.Errorf("-store %s: want a URL such as https://s3.eu-central-1.amazonaws.com", store)
	}
	if host := o.store.Hostname(); o.store.Scheme == "http" && host != "localhost" && !isLoopbackIP(host) {
		return fmt.Errorf("-store %s: want https:// for another machine than this one", store)
	}
	if getenv("AWS_ACCESS_KEY_ID") == "" || getenv("AWS_SECRET_ACCESS_KEY") == "" {
		return errors.New("-store: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set")
	}
	o.region = cmp.Or(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), defaultRegion)
	return nil
}

// isLoopback reports whether a host:port can be reached from this machine only.
func isLoopback(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return false
	}
	return isLoopbackIP(host)
}

func isLoopbackIP(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
