// Reads a certificate as Go's crypto/x509 does and verifies it for both ends of TLS: go-reader ROOTS INTERMEDIATES CERTIFICATE.
// Prints one JSON object; "error" says why it is not taken.
package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
)

type answer struct {
	Error    string   `json:"error"`
	URIs     []string `json:"uris"`
	DNSNames []string `json:"dnsNames"`
	IPs      []string `json:"ips"`
	IsCA     bool     `json:"isCa"`
	Curve    string   `json:"curve"`
	// Certificates on the verified path, the root included.
	Path int `json:"path"`
}

func main() {
	json.NewEncoder(os.Stdout).Encode(read(os.Args[1], os.Args[2], os.Args[3]))
}

func read(roots, intermediates, file string) answer {
	_, certificates, err := parse(file)
	if err != nil {
		return answer{Error: err.Error()}
	}
	certificate := certificates[0]
	told := answer{IsCA: certificate.IsCA, DNSNames: certificate.DNSNames}
	for _, uri := range certificate.URIs {
		told.URIs = append(told.URIs, uri.String())
	}
	for _, ip := range certificate.IPAddresses {
		told.IPs = append(told.IPs, ip.String())
	}
	if key, ok := certificate.PublicKey.(*ecdsa.PublicKey); ok {
		told.Curve = key.Curve.Params().Name
	}
	rootPool, _, err := parse(roots)
	if err != nil {
		return answer{Error: err.Error()}
	}
	above, _, err := parse(intermediates)
	if err != nil {
		return answer{Error: err.Error()}
	}
	// Go asks for one of the usages, so each is asked for alone.
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		chains, err := certificate.Verify(x509.VerifyOptions{
			Roots:         rootPool,
			Intermediates: above,
			KeyUsages:     []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			told.Error = err.Error()
			return told
		}
		told.Path = len(chains[0])
	}
	return told
}

func parse(file string) (*x509.CertPool, []*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, err
		}
		pool.AddCert(certificate)
		certificates = append(certificates, certificate)
	}
	return pool, certificates, nil
}
