package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
)

// otherUniverse is what the hosts of a universe end in that is not Google's own.
const otherUniverse = ".universe.example"

// loopback carries requests for Google's hosts to the simulator, over TCP and without TLS, and no others anywhere.
//
// Clients go on using Google's names and `https`, so that what depends on the name is proven too.
var loopback = &http.Transport{DialContext: dial, DialTLSContext: dial}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	simulator, err := simulatorOf(host)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, simulator)
}

func simulatorOf(host string) (string, error) {
	switch {
	case strings.HasSuffix(host, "-docker.pkg.dev"):
		return os.Getenv("SIMULATOR_REGISTRY"), nil
	case strings.HasSuffix(host, ".googleapis.com"), strings.HasSuffix(host, otherUniverse):
		return os.Getenv("SIMULATOR_APIS"), nil
	default:
		return "", fmt.Errorf("%s is not simulated", host)
	}
}
