# How a backend becomes a worker: keystile_backend(NAME "what it is for") makes the option
# KEYSTILE_BACKEND_NAME and, where it is on, the program keystile-worker-NAME. The folder's own
# CMakeLists.txt adds its sources and libraries to that target. needs.c goes into the agent too.
# With NOT_INSTALLED it stays in the build tree; with OWN_PACKAGE it is a package of its own; with
# PACKAGE_OF OTHER it is in that of another backend, without which it is not built.
function(keystile_backend name purpose)
	string(TOUPPER ${name} upper)
	option(KEYSTILE_BACKEND_${upper} "Backend ${name}: ${purpose}" ON)
	cmake_parse_arguments(PARSE_ARGV 2 arg "" PACKAGE_OF "")
	string(TOUPPER "${arg_PACKAGE_OF}" whole)
	if(NOT KEYSTILE_BACKEND_${upper} OR (whole AND NOT KEYSTILE_BACKEND_${whole}))
		return()
	endif()
	set(folder ${PROJECT_SOURCE_DIR}/backends/${name})
	set_property(GLOBAL APPEND PROPERTY keystile_backends ${name})

	file(CONFIGURE OUTPUT generated/worker-${name}.c @ONLY CONTENT
"#include <keystile/backends.h>

extern KS_BACKEND(@name@);

const struct ks_backend *const ks_this_backend = &ks_backend_@name@;
")
	add_executable(keystile-worker-${name}
		${PROJECT_BINARY_DIR}/generated/worker-${name}.c ${folder}/needs.c)
	target_include_directories(keystile-worker-${name} PRIVATE ${folder})
	target_link_libraries(keystile-worker-${name} PRIVATE keystile_worker)
	if("NOT_INSTALLED" IN_LIST ARGN)
		set_target_properties(keystile-worker-${name} PROPERTIES
			RUNTIME_OUTPUT_DIRECTORY ${KEYSTILE_LIBEXEC})
	elseif("OWN_PACKAGE" IN_LIST ARGN)
		set_property(GLOBAL APPEND PROPERTY keystile_packages ${name})
		set_property(GLOBAL PROPERTY keystile_package_${name} "${purpose}")
		keystile_libexec(keystile-worker-${name} ${name})
	elseif(arg_PACKAGE_OF)
		keystile_libexec(keystile-worker-${name} ${arg_PACKAGE_OF})
	else()
		keystile_libexec(keystile-worker-${name})
	endif()
	add_subdirectory(${folder})
endfunction()

# After the last backend: the table that the agent knows them by.
function(keystile_backend_table)
	get_property(names GLOBAL PROPERTY keystile_backends)
	set(declarations "")
	set(entries "")
	set(sources "")
	foreach(name IN LISTS names)
		string(APPEND declarations "extern KS_NEEDS(${name});\n")
		string(APPEND entries "\t&ks_needs_${name},\n")
		list(APPEND sources ${PROJECT_SOURCE_DIR}/backends/${name}/needs.c)
	endforeach()
	file(CONFIGURE OUTPUT generated/backends.c @ONLY CONTENT
"#include <stddef.h>

#include <keystile/backends.h>

@declarations@
const struct ks_needs *const ks_backends[] = {
@entries@	NULL,
};
")
	add_library(keystile_backends STATIC ${PROJECT_BINARY_DIR}/generated/backends.c ${sources})
endfunction()
