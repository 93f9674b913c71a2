"""Every client with keys on a token that is logged in, and what becomes of those that forward without saying so."""
import unittest

import client_bed as bed
from client_cases import Clients


class TokenKeys(Clients, bed.OnToken, bed.Case):
    def test_what_dbclient_forwards_is_asked_for(self):
        """Its first connection is its own login's, as ssh's is."""
        self.reaches(self.lists_there(bed.Dropbear()))
        self.assertEqual(len(self.asked.prompts()), 1)
        self.assertIn("REMOTE REQUEST: it is not the first connection of its ssh", self.asked.prompts()[0])

    def test_plink_on_the_socket_for_remote_use_is_asked_for_each_time(self):
        """What docs/SECURITY.md tells those to do who forward with clients that bind nothing."""
        inner = " ".join(self.second.ssh("second", "echo I am in"))
        command = bed.Plink().forward(self.first, inner)
        self.reaches(command, env={"SSH_AUTH_SOCK": self.agent.remote_socket})
        prompts = self.asked.prompts()
        self.assertEqual(len(prompts), 2)  # plink's own login, then the one from the far side
        for prompt in prompts:
            self.assertIn("REMOTE REQUEST: it came in on the socket for remote use", prompt)


if __name__ == "__main__":
    unittest.main()
