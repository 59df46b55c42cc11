# Debian packages: `cpack` in a build directory writes to packages/ there
#   loglog_VERSION_ARCH.deb          programs, systemd units (not enabled), /etc/loglog, the user loglog
#   libloglog0.1_VERSION_ARCH.deb    shared library of the client
#   libloglog-dev_VERSION_ARCH.deb   headers, static libraries, find_package(loglog), pkg-config
# Whoever builds them for others says who they are by -D LOGLOG_PACKAGE_CONTACT="NAME <ADDRESS>".
set(here ${CMAKE_CURRENT_LIST_DIR})
set(made ${CMAKE_BINARY_DIR}/debian)

# Header-only libraries leave their code in the programs, so their notices go with these.
set(LOGLOG_NOTICES)
foreach(package libcli11-dev libfmt-dev libtomlplusplus-dev libxxhash-dev)
  set(notice /usr/share/doc/${package}/copyright)
  if(EXISTS ${notice})
    file(READ ${notice} text)
    string(APPEND LOGLOG_NOTICES "---- ${package}\n\n${text}\n")
  endif()
endforeach()
set(LOGLOG_PACKAGE_CONTACT "LogLog <loglog@localhost>" CACHE STRING "Who builds the Debian packages: NAME <ADDRESS>")
set(CPACK_PACKAGE_CONTACT ${LOGLOG_PACKAGE_CONTACT})
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH, where it is set
configure_file(${here}/copyright.in ${made}/copyright @ONLY)
configure_file(${here}/changelog.in ${made}/changelog @ONLY)
execute_process(COMMAND gzip -n9 -f -k ${made}/changelog COMMAND_ERROR_IS_FATAL ANY)

# Absolute places, so cpack alone installs them.
install(FILES ${here}/../storage.toml ${here}/../sequencer.toml DESTINATION /etc/loglog COMPONENT service EXCLUDE_FROM_ALL)
install(FILES ${here}/../systemd/loglog-storage.service ${here}/../systemd/loglog-sequencer.service DESTINATION /lib/systemd/system
  COMPONENT service EXCLUDE_FROM_ALL)
install(FILES ${made}/copyright ${made}/changelog.gz DESTINATION /usr/share/doc/loglog COMPONENT service EXCLUDE_FROM_ALL)
install(FILES ${made}/copyright ${made}/changelog.gz DESTINATION /usr/share/doc/libloglog-dev COMPONENT notices EXCLUDE_FROM_ALL)
set(runtime libloglog${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}) # named after the library's SONAME
install(FILES ${made}/copyright ${made}/changelog.gz DESTINATION /usr/share/doc/${runtime} COMPONENT runtime_notices EXCLUDE_FROM_ALL)
# Line numbers make up most of a static library; programs are stripped by CPACK_STRIP_FILES. cpack takes components by their names'
# order, so this one after `library`.
install(CODE "file(GLOB_RECURSE libraries \$ENV{DESTDIR}/usr/lib/libloglog*.a)
  execute_process(COMMAND ${CMAKE_STRIP} --strip-debug --enable-deterministic-archives \${libraries} COMMAND_ERROR_IS_FATAL ANY)"
  COMPONENT stripped EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME loglog)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own

set(CPACK_DEBIAN_LOGLOG_PACKAGE_NAME loglog)
set(CPACK_DEBIAN_LOGLOG_PACKAGE_SECTION database)
set(CPACK_DEBIAN_LOGLOG_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LOGLOG_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_LOGLOG_PACKAGE_CONTROL_EXTRA "${here}/postinst;${here}/prerm;${here}/postrm;${here}/conffiles")
set(CPACK_DEBIAN_LOGLOG_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_LOGLOG_DESCRIPTION "replicated log: servers and command line
Applications append binary entries to a log; storage nodes keep it on a
majority of disks, sequencers give it one order, and readers follow it.

This package has the storage node, the sequencer, the command line and
units for systemd, which are not enabled: /etc/loglog says who a node is.")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${runtime})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${here}/triggers")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON) # of all packages: there is no such variable for one
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "replicated log: shared library of the client
Applications append binary entries to a log; storage nodes keep it on a
majority of disks, sequencers give it one order, and readers follow it.

This package has the library with which such applications run.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libloglog-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
get_property(packages GLOBAL PROPERTY LOGLOG_LIBRARY_PACKAGES)
list(PREPEND packages "${runtime} (= ${PROJECT_VERSION})")
list(JOIN packages ", " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "replicated log: library for C++ programs
Applications append binary entries to a log; storage nodes keep it on a
majority of disks, sequencers give it one order, and readers follow it.

This package has the headers and static libraries of the client, and of
the servers for programs that run these themselves.")

include(CPack)
cpack_add_component_group(loglog)
cpack_add_component_group(development)
cpack_add_component_group(runtime)
cpack_add_component(programs GROUP loglog)
cpack_add_component(service GROUP loglog)
cpack_add_component(runtime GROUP runtime)
cpack_add_component(runtime_notices GROUP runtime)
cpack_add_component(library GROUP development)
cpack_add_component(notices GROUP development)
cpack_add_component(stripped GROUP development)
