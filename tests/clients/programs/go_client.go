// Go's golang.org/x/crypto/ssh/agent with the agent of SSH_AUTH_SOCK; the commands are those of
// paramiko_client.py, and more that change the agent.
package main

import (
	"encoding/hex"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func showKeys(keyring agent.Agent) {
	keys, err := keyring.List()
	must(err)
	for _, key := range keys {
		fmt.Println(hex.EncodeToString(key.Blob), key.Comment)
	}
}

// Runs words[3] on 127.0.0.1: port, user, known_hosts, command.
func logIn(keyring agent.Agent, words []string, forward bool) {
	known, err := knownhosts.New(words[2])
	must(err)
	config := &ssh.ClientConfig{
		User:              words[1],
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(keyring.Signers)},
		HostKeyCallback:   known,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	}
	client, err := ssh.Dial("tcp", "127.0.0.1:"+words[0], config)
	must(err)
	defer client.Close()
	if forward {
		must(agent.ForwardToRemote(client, os.Getenv("SSH_AUTH_SOCK")))
	}
	session, err := client.NewSession()
	must(err)
	if forward {
		must(agent.RequestAgentForwarding(session))
	}
	session.Stdout, session.Stderr = os.Stdout, os.Stderr
	must(session.Run(words[3]))
}

func add(keyring agent.Agent, path string, lifetime uint32, confirm bool) {
	text, err := os.ReadFile(path)
	must(err)
	key, err := ssh.ParseRawPrivateKey(text)
	must(err)
	must(keyring.Add(agent.AddedKey{
		PrivateKey:       key,
		Comment:          filepath.Base(path),
		LifetimeSecs:     lifetime,
		ConfirmBeforeUse: confirm,
	}))
}

func remove(keyring agent.Agent, comment string) {
	keys, err := keyring.List()
	must(err)
	for _, key := range keys {
		if key.Comment == comment {
			must(keyring.Remove(key))
		}
	}
}

func change(keyring agent.ExtendedAgent, order string, words []string) {
	switch order {
	case "add":
		for _, path := range words {
			add(keyring, path, 0, false)
		}
	case "add-for-an-hour":
		add(keyring, words[0], 3600, true)
	case "remove":
		remove(keyring, words[0])
	case "remove-all":
		must(keyring.RemoveAll())
	case "lock":
		must(keyring.Lock([]byte(words[0])))
	case "unlock":
		must(keyring.Unlock([]byte(words[0])))
	case "query":
		answer, err := keyring.Extension("query", nil)
		must(err)
		fmt.Println(hex.EncodeToString(answer))
	default:
		log.Fatal("unknown: ", order)
	}
}

func main() {
	connection, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	must(err)
	keyring := agent.NewClient(connection)
	switch order := os.Args[1]; order {
	case "list":
		showKeys(keyring)
	case "login", "forward":
		logIn(keyring, os.Args[2:], order == "forward")
	default:
		change(keyring, order, os.Args[2:])
	}
}
