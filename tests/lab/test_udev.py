"""The table of security keys is in order, and udev does with the rules made of it what they are for."""
import os
import re
import unittest

import lab

TABLE = lab.ROOT / "udev" / "tokens.table"
RULES = lab.BUILD / "udev" / "70-keystile.rules"
AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]
# A devices' tree of ours in the place of the kernel's, and rules of ours beside the system's; $3 is what systemd's own
# program would say of the device, empty: there is no such program, as without systemd.
TRY = """
set -e
mount --make-rprivate /
mkdir -p /run/udev
mount -t tmpfs tmpfs /run/udev
mkdir /run/udev/rules.d
cp "$1/70-keystile.rules" /run/udev/rules.d/
if [ -n "$3" ]; then
	echo "SUBSYSTEM==\\"hidraw\\", ENV{ID_FIDO_TOKEN}=\\"$3\\"" > /run/udev/rules.d/60-fido-id.rules
else
	cp -a /usr/lib/udev/. "$1/udev/"
	rm -f "$1/udev/fido_id" "$1/udev/rules.d/60-fido-id.rules"
	mount --bind "$1/udev" /usr/lib/udev
fi
mount --bind "$1/sys" /sys
SYSTEMD_DEVICE_VERIFY_SYSFS=0 exec udevadm test --action=add "/sys/$2"
"""


def rows():
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return [line.split(" ", 2) for line in lines]


class Device:
    """A hidraw node of a USB device below a folder that is to be /sys."""

    def __init__(self, top, vendor, product):
        hid = f"devices/usb1/1-1/1-1:1.0/0003:{vendor.upper()}:{product.upper()}.0001"
        self.path = f"{hid}/hidraw/hidraw7"
        self.top = top
        self._add("devices/usb1/1-1", "bus/usb", "DEVTYPE=usb_device", idVendor=vendor, idProduct=product)
        self._add("devices/usb1/1-1/1-1:1.0", "bus/usb", "DEVTYPE=usb_interface")
        self._add(hid, "bus/hid", "HID_NAME=A key")
        self._add(self.path, "class/hidraw", "MAJOR=240\nMINOR=7\nDEVNAME=hidraw7")

    def _add(self, path, subsystem, uevent, **attributes):
        folder, target = self.top / path, self.top / subsystem
        target.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "uevent").write_text(uevent + "\n")
        (folder / "subsystem").symlink_to(os.path.relpath(target, folder))
        for name, value in attributes.items():
            (folder / name).write_text(value + "\n")


class Table(unittest.TestCase):
    def test_each_line_is_two_numbers_and_a_name_sorted_and_once(self):
        found = rows()
        for vendor, product, name in found:
            self.assertRegex(f"{vendor} {product}", "^[0-9a-f]{4} [0-9a-f]{4}$")
            self.assertEqual(name, name.strip())
        numbers = [tuple(row[:2]) for row in found]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_the_rules_have_a_line_for_each_and_nothing_that_everybody_may_write(self):
        text = RULES.read_text()
        named = re.findall(r'ATTRS\{idVendor\}=="(\w+)", ATTRS\{idProduct\}=="(\w+)"', text)
        self.assertEqual(named, [tuple(row[:2]) for row in rows()])
        self.assertNotIn("MODE", text)


class Rules(unittest.TestCase):
    def tried(self, vendor, product, said):
        """What udev would know of the device: its words."""
        with lab.Folder() as folder:
            (folder.path / "udev").mkdir()
            (folder.path / "70-keystile.rules").write_bytes(RULES.read_bytes())
            device = Device(folder.path / "sys", vendor, product)
            done = lab.run([*AS_ROOT, "unshare", "--mount", "sh", "-c", TRY, "sh", folder.path, device.path, said])
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("Reading rules file: /run/udev/rules.d/70-keystile.rules", done.stdout + done.stderr)
            self.assertNotRegex(done.stdout + done.stderr, r"70-keystile\.rules:\d+ (Invalid|Unknown|Failed)")
            return done.stdout

    def assertToken(self, words, token):
        self.assertEqual("SYSTEMD_USER_WANTS=keystile-token.target" in words, token, words)
        self.assertEqual(bool(re.search(r"^TAGS=.*:uaccess:", words, re.M)), token, words)

    def test_what_says_that_it_is_a_security_key_is_one_whoever_made_it(self):
        self.assertToken(self.tried("1050", "0407", "1"), True)
        self.assertToken(self.tried("dead", "beef", "1"), True)

    def test_a_keyboard_s_interface_of_a_known_key_is_not(self):
        self.assertToken(self.tried("1050", "0407", "0"), False)

    def test_without_systemd_s_help_the_table_tells(self):
        self.assertToken(self.tried("1050", "0407", ""), True)
        self.assertToken(self.tried("534c", "0001", ""), True)
        self.assertToken(self.tried("1050", "0001", ""), False)
        self.assertToken(self.tried("dead", "beef", ""), False)


if __name__ == "__main__":
    unittest.main()
