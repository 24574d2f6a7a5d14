package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/sealgate/sealgate/module/engine"
)

// fact is one line of a section: something seen, and whether it is what was
// expected.
type fact struct {
	label  string
	value  string
	remark string // what the value means or where it comes from, may be empty
	want   string // the value expected instead, where there is another; see wrong
	wrong  bool
}

// seen is a fact that must have a certain value.
func seen(label, value, want string) fact {
	return fact{label: label, value: value, want: want, wrong: value != want}
}

// because adds a remark.
func (f fact) because(remark string) fact {
	f.remark = remark
	return f
}

// section is one request and what came of it.
type section struct {
	title   string
	request string
	facts   []fact
	note    string
}

// printer writes the demo for a person. It counts the facts it prints.
type printer struct {
	out    io.Writer
	colour bool
	facts  int
	wrong  int
	number int
}

func newPrinter(f *os.File) *printer { return &printer{out: f, colour: isTerminal(f)} }

// isTerminal reports whether f shows colours: a terminal whose owner did not ask
// for none (https://no-color.org).
func isTerminal(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// SGR sequences (ECMA-48).
const (
	bold  = "1"
	faint = "2"
	red   = "31"
)

func (p *printer) paint(style, s string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

func (p *printer) line(parts ...string) {
	fmt.Fprintln(p.out, strings.TrimRight(strings.Join(parts, ""), " "))
}

// table prints facts with their labels, values and remarks below each other.
func (p *printer) table(facts []fact) {
	var label, value int
	for _, f := range facts {
		label = max(label, utf8.RuneCountInString(f.label))
		if f.remark != "" {
			value = max(value, utf8.RuneCountInString(f.value))
		}
	}
	for _, f := range facts {
		p.line("   ", p.paint(faint, pad(f.label, label)), "   ", p.value(f, value), "   ", p.paint(faint, f.remark))
		if f.wrong {
			p.line("   ", pad("", label), "   ", p.paint(red, "expected: "+f.want))
		}
	}
}

func (p *printer) value(f fact, width int) string {
	if f.wrong {
		return p.paint(red, pad(f.value, width))
	}
	return pad(f.value, width)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// section prints one section.
func (p *printer) section(s section) {
	p.number++
	p.line(p.paint(bold, fmt.Sprintf("%d  %s", p.number, s.title)))
	if s.request != "" {
		p.line("   ", s.request)
	}
	p.line()
	p.table(s.facts)
	p.line()
	if s.note != "" {
		for text := range strings.Lines(s.note) {
			p.line("   ", strings.TrimSuffix(text, "\n"))
		}
		p.line()
	}
	p.facts += len(s.facts)
	for _, f := range s.facts {
		if f.wrong {
			p.wrong++
		}
	}
}

// opening says what runs where.
func (p *printer) opening(o options, w *workspace, up *stack) {
	p.line(p.paint(bold, "Sealgate quickstart"))
	p.line()
	gateway := fact{label: "gateway", value: up.endpoint}
	if up.moved {
		gateway.remark = defaultListen + " is taken"
	}
	store := fact{label: "store", value: up.upstream, remark: "embedded versitygw"}
	if o.store != nil {
		store.remark = "region " + o.region
	}
	files := fact{label: "files", value: w.dir}
	if w.temporary {
		files.remark = "removed at the end"
	}
	facts := []fact{gateway, store, files}
	if o.own() {
		facts = append(facts, fact{label: "posture", value: w.posture}, fact{label: "rules", value: w.policy})
	}
	p.table(facts)
	p.line()
	if o.own() {
		p.lines("The policy is your own, so there is no tour.")
		if verification(o) != engine.VerifyRequired {
			p.lines("What it has the embedded store encrypt is asked of it and not confirmed: it encrypts nothing.")
		}
		p.line()
		return
	}
	p.line("What policy decided and the store was sent is read from the gateway's decision records.")
	p.line()
}

// invitation says how to go on with one's own client.
func (p *printer) invitation(o options, w *workspace, up *stack) {
	bucket := "s3://" + o.bucket
	p.line(p.paint(bold, "Try it yourself"))
	p.line()
	p.lines(
		"export AWS_ACCESS_KEY_ID="+w.client.AccessKey,
		"export AWS_SECRET_ACCESS_KEY="+w.client.Secret.Reveal(),
		"export AWS_DEFAULT_REGION="+o.region,
		"",
		"echo hello | aws --endpoint-url "+up.endpoint+" s3 cp - "+bucket+"/mine.txt",
		"aws --endpoint-url "+up.endpoint+" s3 ls --recursive "+bucket,
		"aws --endpoint-url "+up.endpoint+" s3 cp "+bucket+"/mine.txt -",
	)
	p.line()
	if !o.own() {
		p.line("   Refused by policy:")
		p.line()
		p.lines("echo hello | aws --endpoint-url " + up.endpoint + " s3 cp - " + bucket + "/mine.pem")
		p.line()
	}
	p.table([]fact{
		{label: "requirements", value: w.posture, remark: "a change is in force"},
		{label: "rules", value: w.policy, remark: "within 5 seconds"},
		{label: "decisions", value: w.path(recordsName)},
		{label: "keys", value: w.path(keyringName), remark: "lost with them: all that is sealed"},
	})
	p.line()
	if w.temporary && o.store != nil {
		p.line("   The keys are removed at the end, and nobody can read then what you uploaded: -dir keeps them.")
		p.line()
	}
	if p.wrong > 0 {
		p.line("   ", p.paint(red, fmt.Sprintf("%d of %d facts above are not as expected.", p.wrong, p.facts)))
	}
	p.line("   Ctrl-C ends store and gateway.")
}

func (p *printer) lines(lines ...string) {
	for _, l := range lines {
		p.line("   ", l)
	}
}

// verdict ends a check: an error unless every fact was as expected.
func (p *printer) verdict() error {
	if p.wrong > 0 {
		return fmt.Errorf("%d of %d facts are not as expected", p.wrong, p.facts)
	}
	p.line(fmt.Sprintf("All %d facts hold.", p.facts))
	return nil
}
