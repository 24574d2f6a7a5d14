package tests

import (
	"regexp"
	"strings"
)

var (
	plainTag    = regexp.MustCompile(`"?\b[0-9a-f]{32}(-[0-9]+)?\b"?`)
	ownDocument = regexp.MustCompile("<(CopyObjectResult|CopyPartResult|GetObjectAttributesResponse)>")
	ownHeader   = regexp.MustCompile("^(accept-ranges|etag|x-amz-bucket-region): ")
	uploadID    = regexp.MustCompile(`uploadId=[^&\n]*|<uploadid \d+>`)
)

// sealedView is a transcript without that in which a sealed bucket may differ
// from one in clear:
//   - ETags are named by what they tell: the object came in one piece, for which
//     a sealed one has to say "-0", or in parts;
//   - checksums that a store keeps are not shown;
//   - the names of upload ids, which stores do not all repeat in errors;
//   - headers that MinIO alone adds to a document that the gateway writes itself.
func sealedView(entries []string, sealed bool) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		e = plainTag.ReplaceAllStringFunc(e, func(tag string) string {
			_, form, parts := strings.Cut(strings.Trim(tag, `"`), "-")
			switch {
			case parts && form != "0":
				return "<ETag of parts>"
			case parts == sealed:
				return "<ETag of one piece>"
			}
			return tag // neither
		})
		e = strings.Replace(e, "<getObjectAttributesResponse>", "<GetObjectAttributesResponse>", 1) // MinIO
		own := ownDocument.MatchString(e)
		var kept []string
		value := false // the next line is the text of an element left out
		for line := range strings.SplitSeq(e, "\n") {
			text := strings.TrimSpace(line)
			if value && !strings.HasPrefix(text, "<") {
				value = false
				continue
			}
			value = strings.HasPrefix(text, "<Checksum")
			if value || strings.HasPrefix(text, "x-amz-checksum-") || own && ownHeader.MatchString(text) {
				continue
			}
			kept = append(kept, uploadID.ReplaceAllString(line, "<upload>"))
		}
		out[i] = strings.Join(kept, "\n")
	}
	return out
}
