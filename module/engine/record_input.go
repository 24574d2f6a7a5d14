package engine

import "github.com/sealgate/sealgate/policy"

// askedInput is the input a record may have to show.
type askedInput struct {
	in *policy.Input
	no bool // the answer was a denial or a fault
}

// note keeps an input that policy was asked about: the first one, or the first
// that was not allowed.
func (x *exchange) note(in *policy.Input, no bool) {
	if x.e.cfg.RecordInput == RecordInputNone || x.asking.in != nil && (x.asking.no || !no) {
		return
	}
	x.asking = askedInput{in, no}
}

// recordInput puts it into the record where it belongs there. An input that a
// fault kept from being completed does not: it shows less than there was.
func (x *exchange) recordInput() {
	a := x.asking
	if a.in == nil || a.in.Schema == "" {
		return
	}
	no := a.no || x.rec.Outcome == OutcomeDenied || x.rec.Outcome == OutcomeFault
	if no || x.e.cfg.RecordInput == RecordInputAll {
		x.rec.Input = a.in
	}
}
