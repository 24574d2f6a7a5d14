package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/cli/awscli"
	"github.com/sealgate/sealgate/module/cli/trial"
	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/explain"
)

// tryFlags are what `policy try` has besides the flags of every policy subcommand.
type tryFlags struct {
	policyFlags
	aws       string
	method    string
	url       string
	headers   []string
	size      int64
	record    string
	as        string
	groups    []string
	attribute []string
	anonymous bool
	ip        string
	tls       string
	at        string
	region    string
}

func policyTry() *cobra.Command {
	var f tryFlags
	cmd := &cobra.Command{
		Use:   "try --aws COMMAND | --url URL [--method M] [-H HEADER]... | --record FILE",
		Short: "Says what would become of a request",
		Long: `Sends a request through a gateway made for it alone, with this policy, and says what
is decided, what the store would be sent and what the client would see. The client's
keys, the keyrings and the store are stand-ins; nothing leaves this machine.

  --aws 's3 cp x.pdf s3://data/k --sse aws:kms'   the requests of an AWS CLI command
  --url https://s3.example.com/data/k --method PUT -H 'x-amz-acl: private'
  --record FILE                                   an input document or decision record

--as, --group and --attribute say who asks, --ip and --tls how. What is read is taken
to be there, encrypted as its posture says. The exit code is 1 if a request is denied.`,
		Args: takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if err := f.completeWithPosture(); err != nil {
				return err
			}
			if f.record != "" {
				return f.tryRecord(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
			}
			return f.try(cmd.Context(), cmd.OutOrStdout())
		}),
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.aws, "aws", "", "a command of the AWS CLI, without the word aws")
	flags.StringVar(&f.method, "method", "", "HTTP method (default GET)")
	flags.StringVar(&f.url, "url", "", "URL of the request, in path style")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "header of the request, \"Name: value\"; repeat for more")
	flags.Int64Var(&f.size, "size", -1, "length in bytes of what is uploaded (default that of the file, or 1024)")
	flags.StringVar(&f.record, "record", "", "file with an input document or a decision record, - for standard input")
	flags.StringVar(&f.as, "as", "", "principal of the client")
	flags.StringArrayVar(&f.groups, "group", nil, "a group the client belongs to; repeat for more")
	flags.StringArrayVar(&f.attribute, "attribute", nil, "an attribute of the client as name=value; repeat for more")
	flags.BoolVar(&f.anonymous, "anonymous", false, "send no signature")
	flags.StringVar(&f.ip, "ip", "192.0.2.1", "address of the client")
	flags.StringVar(&f.tls, "tls", "1.3", "TLS version of the connection, 1.0 to 1.3, or none")
	flags.StringVar(&f.at, "time", "", "when the request is made, as 2027-01-31T12:00:00Z (default now)")
	flags.StringVar(&f.region, "region", "", "region of the store (default "+trial.DefaultRegion+")")
	return cmd
}

// check refuses what does not go together.
func (f *tryFlags) check() error {
	ways := 0
	for _, given := range []string{f.aws, f.url, f.record} {
		if given != "" {
			ways++
		}
	}
	switch {
	case ways != 1:
		return usagef("give a request by one of --aws, --url and --record")
	case f.url == "" && (f.method != "" || len(f.headers) > 0):
		return usagef("--method and --header belong to --url")
	case f.record != "" && (f.as != "" || len(f.groups) > 0 || f.anonymous || f.at != ""):
		return usagef("a record says itself who asks, and when")
	case net.ParseIP(f.ip) == nil:
		return usagef("--ip %q is no address", f.ip)
	case !slices.Contains([]string{"none", "1.0", "1.1", "1.2", "1.3"}, f.tls):
		return usagef("--tls %q is none of none, 1.0, 1.1, 1.2, 1.3", f.tls)
	case f.size < -1:
		return usagef("--size %d: want a length in bytes", f.size)
	case f.anonymous && (f.as != "" || len(f.groups) > 0 || len(f.attribute) > 0):
		return usagef("--anonymous is nobody: it has no principal, group or attribute")
	}
	return nil
}

// command gives the requests to send.
func (f *tryFlags) command() (*awscli.Command, error) {
	if f.url != "" {
		r, err := f.plainRequest()
		return &awscli.Command{Requests: []trial.Request{r}}, err
	}
	c, err := awscli.Parse(f.aws, awscli.Defaults{Size: f.sizeOf, Read: os.ReadFile})
	var usage *awscli.UsageError
	if errors.As(err, &usage) {
		return nil, usagef("--aws: %w", err)
	}
	return c, err
}

// sizeOf is how long a local file is; -1 if it is not there.
func (f *tryFlags) sizeOf(file string) int64 {
	if f.size >= 0 {
		return f.size
	}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}

// plainRequest is the one that --url, --method and --header write out.
func (f *tryFlags) plainRequest() (trial.Request, error) {
	u, err := url.Parse(f.url)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return trial.Request{}, usagef("--url %q is no URL such as https://s3.example.com/bucket/key", f.url)
	}
	r := trial.Request{Name: "request", Method: strings.ToUpper(f.method), Host: u.Host, Path: u.EscapedPath(), Header: make(http.Header)}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.Query, err = s3.ParseQuery(u.RawQuery); err != nil {
		return r, usagef("--url: %w", err)
	}
	for _, line := range f.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok || textproto.TrimString(name) == "" {
			return r, usagef("--header %q is not of the form \"Name: value\"", line)
		}
		r.Header.Add(textproto.TrimString(name), textproto.TrimString(value))
	}
	if r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") == "" && strings.Count(strings.Trim(r.Path, "/"), "/") > 0 {
		size := max(f.size, 0)
		if f.size < 0 {
			size = awscli.DefaultSize
		}
		r.Object = &size
	}
	return r, nil
}

func (f *tryFlags) try(ctx context.Context, out io.Writer) error {
	command, err := f.command()
	if err != nil {
		return err
	}
	who := trial.Caller{Principal: f.as, Groups: f.groups, Anonymous: f.anonymous || command.Anonymous}
	if !who.Anonymous && f.as == "" && len(f.groups) == 0 {
		return usagef("say who asks: --as, --group or --anonymous")
	}
	if who.Attributes, err = parseAttributes(f.attribute); err != nil {
		return err
	}
	via := trial.Connection{IP: f.ip, TLS: f.tls}
	if f.tls == "none" || strings.HasPrefix(f.url, "http://") {
		via.TLS = ""
	}
	config := trial.Config{PostureFile: f.posture, SiteDir: f.policy, Region: f.region}
	if config.Region == "" {
		config.Region = command.Region
	}
	if f.at != "" {
		if config.Time, err = time.Parse(time.RFC3339, f.at); err != nil {
			return usagef("--time %q is not one such as 2027-01-31T12:00:00Z", f.at)
		}
	}
	gateway, err := trial.New(config)
	if err != nil {
		return err
	}
	results, err := gateway.Send(ctx, who, via, command.Requests...)
	if errors.Is(err, trial.ErrTooLarge) {
		return usagef("%w", err)
	}
	if err != nil {
		return err
	}
	tried := triedRequests{Notes: command.Notes, Left: len(command.Requests) - len(results)}
	for _, r := range results {
		one, err := describeTried(ctx, gateway.Policy(), r)
		if err != nil {
			return err
		}
		tried.Requests = append(tried.Requests, one)
	}
	if f.json {
		err = printJSON(out, tried)
	} else {
		tried.print(out, f.policy)
	}
	return errors.Join(err, tried.finding())
}

// tryRecord decides what a record or an input document says, under this policy.
func (f *tryFlags) tryRecord(ctx context.Context, stdin io.Reader, out io.Writer) error {
	record, err := recordNamed(f.record, "", stdin)
	if err != nil {
		return err
	}
	if record.Input == nil {
		return unexplained(record, explaining{flags: f.policyFlags, out: out})
	}
	p, err := f.load()
	if err != nil {
		return err
	}
	e, err := explain.Explain(ctx, p.Current(), explain.Question{Input: record.Input, Enforce: engine.Enforced})
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(out, explained{ID: record.ID, Revision: e.Decision.Revision, Input: e.Input, Result: e})
	} else {
		fmt.Fprintln(out, verdictOf(e.Input, e.Decision))
		words := explanationWords{w: out, in: e.Input, e: e, site: f.policy}
		words.brief()
	}
	if !e.Decision.Allow {
		err = errors.Join(err, finding(errors.New("it is denied")))
	}
	return err
}

// brief is what an explanation comes down to: the findings and what to change, or
// what is required.
func (p explanationWords) brief() {
	for _, f := range p.e.Decision.Findings {
		fmt.Fprintf(p.w, "  %s  %s%s\n", f.ID, f.Message, effect(f))
	}
	if p.e.Decision.Allow {
		p.allowed()
		return
	}
	p.changes()
}

// describeTried puts a result into words, with an explanation where it was denied.
func describeTried(ctx context.Context, g *policy.Generation, r trial.Result) (triedRequest, error) {
	t := triedRequest{
		Name: r.Request.Name, Method: r.Request.Method, Path: r.Request.Path, Times: r.Request.Times,
		Operation: r.Record.Operation, Outcome: r.Record.Outcome, Findings: r.Record.Findings, Cause: r.Record.Cause,
		Asked: r.Record.Asked, Decided: r.Record.Decided, Sent: r.Record.Sent, Calls: []triedCall{},
		Client:  triedClient{Status: r.Status, Code: r.Code, RuleIDs: r.RuleIDs, Warning: r.Header.Get("X-Sealgate-Warning")},
		Input:   r.Record.Input,
		subject: r.Record.Operation,
	}
	if r.Code != "" {
		t.Client.Message = r.Message
	}
	if t.Client.RuleIDs == nil {
		t.Client.RuleIDs = []string{}
	}
	for _, c := range r.Sent {
		t.Calls = append(t.Calls, triedCall{Method: c.Method, URL: c.URL, Headers: encryptionHeaders(c.Header), Bytes: c.Bytes})
	}
	if r.Record.Input == nil {
		return t, nil
	}
	t.subject = subjectOf(r.Record.Input) + forWhom(r.Record.Input)
	if r.Record.Outcome != engine.OutcomeDenied {
		return t, nil
	}
	e, err := explain.Explain(ctx, g, explain.Question{Input: r.Record.Input, Enforce: engine.Enforced})
	if err != nil {
		return t, err
	}
	t.Explanation = e
	return t, nil
}

// encryptionHeaders are those of a call that say how an object is encrypted, without keys.
func encryptionHeaders(h http.Header) map[string]string {
	out := map[string]string{}
	for name, v := range h {
		if strings.HasPrefix(name, "X-Amz-Server-Side-Encryption") && !strings.Contains(name, "Customer-Key") {
			out[strings.ToLower(name)] = strings.Join(v, ",")
		}
	}
	return out
}
