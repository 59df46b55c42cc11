#!/bin/bash
# Installs a build and uses it as a stranger does: by find_package(loglog) and by pkg-config, with
# nothing of this tree in sight. The stranger's program is the sample hello_append, or a program
# that includes every public header.
#   tests/architecture/installed_package.sh BUILD_DIR
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
for program in loglog loglog-storage loglog-sequencer; do
  "$work/prefix/bin/$program" --version
done

for page in loglog loglog-append loglog-storage loglog-sequencer; do
  [ -s "$work/prefix/share/man/man1/$page.1.gz" ]
done
for place in bash-completion/completions/loglog-storage zsh/site-functions/_loglog fish/vendor_completions.d/loglog.fish; do
  [ -s "$work/prefix/share/$place" ]
done

mkdir "$work/app"
headers=$(cd "$work/prefix/include" && find loglog -name '*.h' | sort)
[ -n "$headers" ]
for header in $headers; do
  echo "#include <$header>"
done >"$work/app/main.cpp"
echo "int main() {}" >>"$work/app/main.cpp"
cp "$root/samples/embedded_cluster/main.cpp" "$work/app/embedded.cpp"
if [ -f "$root/samples/hello_append/main.cpp" ]; then
  cp "$root/samples/hello_append/main.cpp" "$work/app/hello.cpp"
else
  cp "$work/app/main.cpp" "$work/app/hello.cpp"
fi

cat >"$work/app/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(stranger LANGUAGES CXX)
if(SHARED)
  find_package(loglog 0.1 REQUIRED COMPONENTS shared)
  if(TARGET PkgConfig::UV OR TARGET loglog::embedded)
    message(FATAL_ERROR "the shared library asks its users for more than itself")
  endif()
  set(library loglog::shared)
else()
  find_package(loglog 0.1 REQUIRED)
  if(TARGET PkgConfig::TOML OR TARGET loglog::embedded)
    message(FATAL_ERROR "a client is asked for the libraries of servers")
  endif()
  find_package(loglog 0.1 REQUIRED COMPONENTS client embedded)
  add_executable(embedded embedded.cpp)
  target_link_libraries(embedded PRIVATE loglog::embedded)
  set(library loglog::loglog)
endif()
foreach(name main hello ${CLIENTS})
  add_executable(${name} ${name}.cpp)
  target_link_libraries(${name} PRIVATE ${library})
endforeach()
END
# Every sample that uses the SDK alone: together they call most of the public functions.
clients=$(cd "$root/samples" && grep -L 'loglog/embedded' ./*/main.cpp | cut -d/ -f2 | grep -v hello_append)
for name in $clients; do
  cp "$root/samples/$name/main.cpp" "$work/app/$name.cpp"
done
cmake -S "$work/app" -B "$work/app/shared" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" -DSHARED=ON \
  -DCLIENTS="${clients//$'\n'/;}" >"$work/configure.log"
cmake --build "$work/app/shared"
ldd "$work/app/shared/hello" | grep -q "libloglog.so.0.1 => $work/prefix"
"$work/app/shared/main"
# The shared library exports public functions alone, and each function that the headers declare.
library=$(find "$work/prefix" -name libloglog.so.0.1)
nm -DC --defined-only "$library" | sed -n 's/^[0-9a-f]* [TW] //p' | grep -v '^LOGLOG_' >"$work/exported"
if grep -vE '^loglog::(Client|Log|Follower|PartitionedLog|ClientFigures|CallError|ClientEvent|Entry|EntryView|LogPosition|pack_batch|by_key|round_robin|sticky|name_of)\b' "$work/exported" ||
  grep -E '::State::|^loglog::client::' "$work/exported"; then
  echo "installed package: the shared library exports the symbols above, which are not public"
  exit 1
fi
cmake -S "$work/app" -B "$work/app/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log"
cmake --build "$work/app/build"
"$work/app/build/main"
"$work/app/build/embedded" "$work/data" 10

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name loglog.pc)")
# shellcheck disable=SC2046
g++ -std=c++23 "$work/app/hello.cpp" -o "$work/app/hello" $(pkg-config --cflags --libs loglog)
# shellcheck disable=SC2046
g++ -std=c++23 "$work/app/hello.cpp" -o "$work/app/hello-static" -Wl,-Bstatic $(pkg-config --cflags --libs-only-L loglog) -lloglog \
  -Wl,-Bdynamic $(pkg-config --static --libs loglog)
grep -q "$build\|$root" "$PKG_CONFIG_PATH/loglog.pc" && { echo "loglog.pc names the build's own folders"; exit 1; }
echo "installed package: $(wc -w <<<"$headers") headers, used by find_package and by pkg-config"
