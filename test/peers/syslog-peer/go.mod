module sealift/syslog-peer

go 1.24

require github.com/leodido/go-syslog/v4 v4.5.0
