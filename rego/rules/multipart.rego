# METADATA
# title: Multipart uploads
# description: >-
#   What holds for an upload is decided where it begins: parts and completion take its
#   encryption, and the checksum of the whole object is of the algorithm it was begun
#   with. Uploads begun past the gateway cannot be told from others unless they are
#   sealed, so no rule judges that.
package sealgate.rules.multipart

# METADATA
# title: An upload is begun with a checksum algorithm
# description: >-
#   The store keeps a checksum of the whole object only if the upload was begun with
#   an algorithm. Where the posture asks for checksums, and for strong ones, the
#   beginning must name one.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
# custom:
#   id: MPU-001
#   severity: medium
#   remediation: Send x-amz-checksum-algorithm with CreateMultipartUpload; SHA256 where strong checksums are asked for.
#   controls: ["NIST-800-53:SI-7"]
deny contains {
	"id": "MPU-001",
	"msg": "the upload must be begun with a checksum algorithm",
	"path": "request.checksum",
} if {
	input.request.operation == "CreateMultipartUpload"
	input.posture.checksum in {"required", "strong"}
	input.request.checksum == ""
}

deny contains {
	"id": "MPU-001",
	"msg": "the upload must be begun with a strong checksum algorithm",
	"path": "request.checksum",
} if {
	input.request.operation == "CreateMultipartUpload"
	input.posture.checksum == "strong"
	not input.request.checksum in {"", "sha256", "sha512"}
}
