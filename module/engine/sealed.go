package engine

import (
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// sealedBodyless is how an operation without a body is served on names whose
// objects are sealed; nil where it is served as anywhere else.
func (x *exchange) sealedBodyless(p plan) func() error {
	if p.seal != nil { // CreateMultipartUpload
		return func() error { return x.createSealed(p) }
	}
	if x.req.Op.Name == "ListMultipartUploads" && x.e.cfg.Keyrings != nil {
		return func() error { return x.listUploads(p) }
	}
	rule := x.sealedRule(objectName{x.req.Bucket, x.req.Key})
	if rule == nil {
		return nil
	}
	switch x.req.Op.Name {
	case "ListParts":
		return func() error { return x.listSealedParts(p) }
	case "AbortMultipartUpload":
		return func() error { return x.abortSealed(p) }
	case "GetObject", "HeadObject", "GetObjectAttributes":
	default:
		return nil
	}
	if p.onRead == posture.OnReadPassThrough {
		return nil
	}
	if p.onRead != posture.OnReadDecrypt {
		return func() error { return x.rejectRead() }
	}
	return func() error { return x.serveSealedRead(p, rule) }
}

// sealable are the operations that can write under a decision to seal. All
// others are refused before a byte is read: nothing they carry would be sealed.
var sealable = map[string]bool{
	"PutObject": true, "CreateMultipartUpload": true, "UploadPart": true, "CompleteMultipartUpload": true,
	"CopyObject": true, "UploadPartCopy": true, "PostObject": true,
}

// rejectRead refuses a reader whom policy gives neither plaintext nor
// ciphertext.
func (x *exchange) rejectRead() error {
	no := policy.Finding{ID: "ENF-007", Message: "sealed objects are not given to this reader", Action: policy.ActionDeny}
	x.rec.Outcome = OutcomeDenied
	x.rec.Findings = append(x.rec.Findings, no)
	return x.denial([]policy.Finding{no})
}
