# How every part is compiled: language, warnings, hardening, sanitizers. Hardening flags are
# probed one by one; keystile_print_hardening() says which ones the compiler took and refused.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)

option(KEYSTILE_WERROR "Warnings are errors" OFF)
set(KEYSTILE_SANITIZE "" CACHE STRING "Sanitizers to build with, for instance address,undefined")
option(KEYSTILE_FUZZ "Build the fuzz targets with libFuzzer (clang only)" OFF)

if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(KEYSTILE_LIBEXEC ${PROJECT_BINARY_DIR}/libexec/keystile)
set(KEYSTILE_INSTALLED_LIBEXEC ${CMAKE_INSTALL_FULL_LIBEXECDIR}/keystile)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wcast-qual
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef
	-Wpointer-arith -Wwrite-strings)
if(KEYSTILE_WERROR)
	add_compile_options(-Werror)
endif()

# Called with the variable of a probe that has run, and what a reader knows the flag by.
function(keystile_note_hardening accepted name)
	if(${accepted})
		set_property(GLOBAL APPEND PROPERTY keystile_hardening_accepted ${name})
	else()
		set_property(GLOBAL APPEND PROPERTY keystile_hardening_refused ${name})
	endif()
endfunction()

function(keystile_harden_compiler flag)
	string(MAKE_C_IDENTIFIER "KEYSTILE_HAS${flag}" probe)
	check_c_compiler_flag(${flag} ${probe})
	if(${probe})
		add_compile_options(${flag})
	endif()
	keystile_note_hardening(${probe} ${flag})
endfunction()

function(keystile_harden_linker flag)
	string(MAKE_C_IDENTIFIER "KEYSTILE_HAS_LINKER${flag}" probe)
	check_linker_flag(C ${flag} ${probe})
	if(${probe})
		add_link_options(${flag})
	endif()
	keystile_note_hardening(${probe} ${flag})
endfunction()

# The C library warns where it can't do level 3 with this compiler; without optimization it
# does nothing at all and says so, hence not in a Debug build.
function(keystile_harden_fortify)
	set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
	check_c_source_compiles("#include <string.h>\nint main(void) { return 0; }" KEYSTILE_HAS_FORTIFY)
	if(KEYSTILE_HAS_FORTIFY)
		add_compile_options("$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>")
	endif()
	keystile_note_hardening(KEYSTILE_HAS_FORTIFY -D_FORTIFY_SOURCE=3)
endfunction()

function(keystile_harden_pie)
	check_pie_supported(LANGUAGES C)
	keystile_note_hardening(CMAKE_C_LINK_PIE_SUPPORTED -pie)
endfunction()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
keystile_harden_pie()
keystile_harden_compiler(-fstack-protector-strong)
keystile_harden_compiler(-fstack-clash-protection)
keystile_harden_compiler(-fcf-protection)
keystile_harden_linker(-Wl,-z,relro)
keystile_harden_linker(-Wl,-z,now)
keystile_harden_linker(-Wl,-z,noexecstack)
if(KEYSTILE_SANITIZE)
	# The sanitizers check what these two would hide: calls into the C library by their own
	# name, and variables that nobody set.
	add_compile_definitions(KEYSTILE_SANITIZED=1
		KEYSTILE_SANITIZER_FILES="${PROJECT_SOURCE_DIR}/tests/lab")
	add_compile_options(-fsanitize=${KEYSTILE_SANITIZE} -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
	add_link_options(-fsanitize=${KEYSTILE_SANITIZE})
	set_property(GLOBAL APPEND PROPERTY keystile_hardening_left_out
		-D_FORTIFY_SOURCE=3 -ftrivial-auto-var-init=zero)
else()
	keystile_harden_fortify()
	keystile_harden_compiler(-ftrivial-auto-var-init=zero)
endif()
if(KEYSTILE_FUZZ)
	if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
		message(FATAL_ERROR "KEYSTILE_FUZZ needs clang: CC=clang cmake -DKEYSTILE_FUZZ=ON ...")
	endif()
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()

function(keystile_print_hardening)
	get_property(accepted GLOBAL PROPERTY keystile_hardening_accepted)
	get_property(refused GLOBAL PROPERTY keystile_hardening_refused)
	get_property(left_out GLOBAL PROPERTY keystile_hardening_left_out)
	if(NOT refused)
		set(refused "nothing")
	endif()
	list(JOIN accepted " " accepted)
	list(JOIN refused " " refused)
	list(JOIN left_out " " left_out)
	message(STATUS "Hardening, accepted: ${accepted}")
	message(STATUS "Hardening, refused by ${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}: ${refused}")
	if(left_out)
		message(STATUS "Hardening, left out for ${KEYSTILE_SANITIZE}: ${left_out}")
	endif()
endfunction()

# A program that other programs of ours start, never a person. It comes with the agent's package, or with that of
# a component of its own (src/packages.cmake).
function(keystile_libexec target)
	set(component agent)
	if(ARGC GREATER 1)
		set(component ${ARGV1})
	endif()
	set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${KEYSTILE_LIBEXEC})
	install(TARGETS ${target} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/keystile COMPONENT ${component})
endfunction()
