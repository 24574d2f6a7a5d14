package site.encryption.text

require contains "sse-kms" if input.resource.key == "boom"
