# After everything that is installed: what an installation is taken away with, and Debian packages by CPack.
# "agent" is the package keystile; each backend with OWN_PACKAGE is one of its own, so that a machine
# without a TPM has none of its libraries. `cpack --config build/CPackConfig.cmake` makes them.

# `cmake --build build --target uninstall` removes what `cmake --install build` wrote down.
file(CONFIGURE OUTPUT uninstall.cmake @ONLY CONTENT [[
file(STRINGS "@PROJECT_BINARY_DIR@/install_manifest.txt" installed)
foreach(path IN LISTS installed)
	message(STATUS "Removing $ENV{DESTDIR}${path}")
	file(REMOVE "$ENV{DESTDIR}${path}")
endforeach()
]])
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${PROJECT_BINARY_DIR}/uninstall.cmake)

set(KEYSTILE_PACKAGER "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>" CACHE STRING
	"Name and address of who makes Debian packages; by default what DEBFULLNAME and DEBEMAIL say")

# The agent knows its workers by the path that was compiled in.
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
	return()
endif()

# Debian wants manuals and changelogs compressed, and a licence in each package.
file(CONFIGURE OUTPUT compress.cmake @ONLY CONTENT [[
file(GLOB components "${CPACK_TEMPORARY_DIRECTORY}/*")
foreach(folder IN LISTS components)
	file(GLOB_RECURSE texts "${folder}/usr/share/man/*.[0-9]" "${folder}/usr/share/doc/*/changelog")
	foreach(text IN LISTS texts)
		execute_process(COMMAND gzip -9n ${text} COMMAND_ERROR_IS_FATAL ANY)
	endforeach()
endforeach()
]])
string(TIMESTAMP today "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME keystile)
set(CPACK_PACKAGE_VENDOR "the Keystile authors")
set(CPACK_PACKAGE_CONTACT "${KEYSTILE_PACKAGER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "SSH agent for keys on hardware")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
	OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_BINARY_DIR}/compress.cmake)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
get_property(packages GLOBAL PROPERTY keystile_packages)
set(CPACK_COMPONENTS_ALL agent ${packages})

set(CPACK_DEBIAN_AGENT_PACKAGE_NAME keystile)
set(CPACK_COMPONENT_AGENT_DESCRIPTION "Takes the place of OpenSSH's ssh-agent. It knows for each signature who asks,
through which hosts and for what, and gives one to a forwarded session only
with a touch or a PIN. Keys stay on smartcards and other tokens, which are
reached by confined processes of their own.

Packages keystile-pkcs11 and the like bring the kinds of tokens.")
list(TRANSFORM packages PREPEND "keystile-" OUTPUT_VARIABLE recommended)
list(JOIN recommended ", " CPACK_DEBIAN_AGENT_PACKAGE_RECOMMENDS)
set(CPACK_DEBIAN_AGENT_PACKAGE_SUGGESTS "pinentry, ssh-askpass")

function(keystile_package name purpose)
	string(TOUPPER ${name} upper)
	set(CPACK_DEBIAN_${upper}_PACKAGE_NAME keystile-${name} PARENT_SCOPE)
	set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "keystile (= ${PROJECT_VERSION})" PARENT_SCOPE)
	set(CPACK_COMPONENT_${upper}_DESCRIPTION 
		"Lets the agent of package keystile use\n${purpose}." PARENT_SCOPE)
endfunction()

# What every package has to have in its own folder.
function(keystile_package_papers component package)
	set(folder ${PROJECT_BINARY_DIR}/papers/${package})
	file(WRITE ${folder}/changelog "keystile (${PROJECT_VERSION}) unstable; urgency=medium

  * Built from the project's own sources, which hold its history.

 -- ${CPACK_PACKAGE_CONTACT}  ${today}
")
	install(FILES ${folder}/changelog DESTINATION share/doc/${package} COMPONENT ${component})
	install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/${package}
		RENAME copyright COMPONENT ${component})
endfunction()

keystile_package_papers(agent keystile)
foreach(name IN LISTS packages)
	get_property(purpose GLOBAL PROPERTY keystile_package_${name})
	keystile_package(${name} "${purpose}")
	keystile_package_papers(${name} keystile-${name})
endforeach()
include(CPack)
