// The peer of src/broker/pki: reads a trust bundle and a chain of certificates with go-spiffe, as workloads do.
//
//	spiffe-peer verify DOMAIN BUNDLE CHAIN            prints the SPIFFE ID of the chain's first certificate
//	spiffe-peer get DOMAIN BUNDLE CHAIN KEY URL ID    asks URL in mutual TLS of a server with this ID, prints its answer
package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

func run(args []string) error {
	if len(args) < 4 {
		return errors.New("verify DOMAIN BUNDLE CHAIN, or get DOMAIN BUNDLE CHAIN KEY URL ID")
	}
	domain, err := spiffeid.TrustDomainFromString(args[1])
	if err != nil {
		return err
	}
	bundle, err := spiffebundle.Load(domain, args[2])
	if err != nil {
		return err
	}
	if _, ok := bundle.SequenceNumber(); !ok {
		return errors.New("the bundle has no sequence")
	}
	if args[0] == "verify" {
		chain, err := readChain(args[3])
		if err != nil {
			return err
		}
		id, _, err := x509svid.Verify(chain, bundle)
		if err != nil {
			return err
		}
		fmt.Println(id)
		return nil
	}
	if args[0] != "get" || len(args) != 7 {
		return errors.New("get DOMAIN BUNDLE CHAIN KEY URL ID")
	}
	svid, err := x509svid.Load(args[3], args[4])
	if err != nil {
		return err
	}
	id, err := spiffeid.FromString(args[6])
	if err != nil {
		return err
	}
	config := tlsconfig.MTLSClientConfig(svid, bundle, tlsconfig.AuthorizeID(id))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 20 * time.Second}
	response, err := client.Get(args[5])
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, io.LimitReader(response.Body, 1<<20))
	return err
}

func readChain(path string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	return chain, nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "spiffe-peer:", err)
		os.Exit(1)
	}
}
