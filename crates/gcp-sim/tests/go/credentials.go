package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/credentials/impersonate"
	"cloud.google.com/go/auth/httptransport"
)

// scopes are the usual one, and the one without which nobody is told whose a token is.
var scopes = []string{
	"https://www.googleapis.com/auth/cloud-platform",
	"https://www.googleapis.com/auth/userinfo.email",
}

// metadata lets default credentials find project, universe and token at the metadata server, which keeps a token.
func metadata(ctx context.Context) (found, error) {
	creds, err := defaultCredentials()
	if err != nil {
		return nil, err
	}
	project, err := creds.ProjectID(ctx)
	if err != nil {
		return nil, err
	}
	universe, err := creds.UniverseDomain(ctx)
	if err != nil {
		return nil, err
	}
	first, err := creds.Token(ctx)
	if err != nil {
		return nil, err
	}
	others, err := defaultCredentials()
	if err != nil {
		return nil, err
	}
	second, err := others.Token(ctx)
	if err != nil {
		return nil, err
	}
	return found{
		"project":   project,
		"universe":  universe,
		"type":      first.Type,
		"simulated": strings.HasPrefix(first.Value, "ya29.sim-"),
		"cached":    first.Value == second.Value,
	}, nil
}

// impersonated mints a token of the account that the environment names, with the pod's own.
func impersonated(ctx context.Context) (found, error) {
	base, err := defaultCredentials()
	if err != nil {
		return nil, err
	}
	client, err := httptransport.NewClient(&httptransport.Options{Credentials: base, BaseRoundTripper: loopback})
	if err != nil {
		return nil, err
	}
	creds, err := impersonate.NewCredentials(&impersonate.CredentialsOptions{
		TargetPrincipal: os.Getenv("TARGET_PRINCIPAL"),
		Scopes:          scopes,
		Credentials:     base,
		Client:          client,
	})
	if err != nil {
		return nil, err
	}
	return holder(ctx, creds)
}

// credentialsFile uses the file that GOOGLE_APPLICATION_CREDENTIALS names: an exchanged token, then impersonation.
func credentialsFile(ctx context.Context) (found, error) {
	creds, err := defaultCredentials()
	if err != nil {
		return nil, err
	}
	return holder(ctx, creds)
}

func defaultCredentials() (*auth.Credentials, error) {
	return credentials.DetectDefault(&credentials.DetectOptions{
		Scopes: scopes,
		Client: &http.Client{Transport: loopback},
	})
}

// holder asks the token service whose token it is. A refusal is part of what was seen.
func holder(ctx context.Context, creds *auth.Credentials) (found, error) {
	token, err := creds.Token(ctx)
	if err != nil {
		return found{"refused": err.Error()}, nil
	}
	query := url.Values{"access_token": {token.Value}}
	address := "https://oauth2.googleapis.com/tokeninfo?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := loopback.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var info struct {
		Email string `json:"email"`
	}
	if err := json.NewDecoder(response.Body).Decode(&info); err != nil {
		return nil, fmt.Errorf("tokeninfo: %w", err)
	}
	return found{"account": info.Email}, nil
}
