# cmake -DTABLE=tokens.table -DRULES=70-keystile.rules -P rules.cmake: rules for security keys.
# The number comes after systemd's 60-fido-id.rules and before 73-seat-late.rules, which acts on "uaccess".
file(STRINGS ${TABLE} rows REGEX "^[0-9a-f]")
set(vendor "")
set(named "")
foreach(row IN LISTS rows)
	if(NOT row MATCHES "^([0-9a-f][0-9a-f][0-9a-f][0-9a-f]) ([0-9a-f][0-9a-f][0-9a-f][0-9a-f]) (.+)$")
		message(FATAL_ERROR "${TABLE}: not vendor, product, name: ${row}")
	endif()
	string(APPEND named "# ${CMAKE_MATCH_3}\nATTRS{idVendor}==\"${CMAKE_MATCH_1}\", \
ATTRS{idProduct}==\"${CMAKE_MATCH_2}\", GOTO=\"keystile_token\"\n")
endforeach()
file(WRITE ${RULES} "# Made from the table of Keystile's udev folder. A security key is for whoever sits at this seat, and
# those who want it (systemctl --user enable keystile.service) have their agent started when one is plugged in.
ACTION==\"remove\", GOTO=\"keystile_end\"
SUBSYSTEM!=\"hidraw\", GOTO=\"keystile_end\"

# systemd reads what an interface says of itself. That is better than names: a key that is a keyboard too
# has another interface for that, and nobody needs to read it.
ENV{ID_FIDO_TOKEN}==\"1\", GOTO=\"keystile_token\"
TEST==\"/usr/lib/udev/fido_id\", GOTO=\"keystile_end\"
TEST==\"/lib/udev/fido_id\", GOTO=\"keystile_end\"

${named}
GOTO=\"keystile_end\"

LABEL=\"keystile_token\"
ENV{ID_SECURITY_TOKEN}=\"1\", TAG+=\"uaccess\", TAG+=\"systemd\", ENV{SYSTEMD_USER_WANTS}+=\"keystile-token.target\"

LABEL=\"keystile_end\"
")
