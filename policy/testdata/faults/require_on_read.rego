package site.encryption.reading

require contains {"mode": "none", "on_read": "rejekt"} if input.resource.key == "boom"
