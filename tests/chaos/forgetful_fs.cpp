// A FUSE file system in memory that knows which bytes were made durable and forgets the rest on
// command: a power cut for real processes.
// forgetful_fs MOUNTPOINT
// Commands come on stdin, a command a line, and each is answered by a line on stdout:
// forget          drops everything that was not synced
// forget some N   as a disk that had begun to write: each block, and each directory's changes,
// survive or not, drawn from seed N
// lie             from now on a sync succeeds and keeps nothing; the checkers must find the harm of
// this disk
// room N          from now on N more bytes may be allocated; "room all": no limit
// Durable are a file's content at its last fsync or fdatasync, and a directory's names at its last
// fsync. A file without a durable name is gone, even if its content was synced.
// The kernel caches nothing, so that forgotten bytes cannot be read back. The end of stdin ends the
// program.
#define FUSE_USE_VERSION 312
#include <fmt/format.h>
#include <fuse3/fuse.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>

namespace {

constexpr std::uint64_t block_size = 4096;
constexpr std::uint64_t everything = std::numeric_limits<std::uint64_t>::max();
/// How long a sync takes, so that groups gather as on a real disk.
constexpr auto sync_takes = std::chrono::microseconds(500);

using Block = std::array<char, block_size>;

struct Node;
using NodePtr = std::shared_ptr<Node>;

// The content of a file or directory. A node holds it twice: as it is now, and as it is durable.
struct Content {
  /// By block number; a missing block reads as zeros. Blocks are shared between both contents and
  /// never written in place.
  std::map<std::uint64_t, std::shared_ptr<const Block>> blocks;
  std::uint64_t size = 0;
  std::map<std::string, NodePtr> names;
};

struct Node {
  mode_t mode = 0;
  timespec changed{};
  Content now;
  Content durable;
  std::set<std::uint64_t> dirty;  // blocks in which `now` and `durable` may differ

  bool is_directory() const { return S_ISDIR(mode); }
};

/// The tree of nodes. Every caller holds `mutex`; errors are negative errno values as FUSE wants
/// them.
class FileSystem {
 public:
  FileSystem() { root_->mode = S_IFDIR | 0755; }

  std::mutex mutex;

  // ---- names
  NodePtr find(const std::string& path) const {
    NodePtr at = root_;
    std::istringstream parts(path);
    for (std::string name; at && std::getline(parts, name, '/');) {
      if (name.empty()) continue;
      const auto found = at->now.names.find(name);
      at = found == at->now.names.end() ? nullptr : found->second;
    }
    return at;
  }
  static std::pair<std::string, std::string> split(const std::string& path) {
    const auto slash = path.rfind('/');
    return {path.substr(0, slash), path.substr(slash + 1)};
  }
  int make(const std::string& path, mode_t mode, NodePtr& out) {
    const auto [folder, name] = split(path);
    const NodePtr parent = find(folder);
    if (!parent || !parent->is_directory()) return -ENOENT;
    if (parent->now.names.contains(name)) return -EEXIST;
    out = std::make_shared<Node>();
    out->mode = mode;
    touch(*out);
    parent->now.names[name] = out;
    return 0;
  }
  int remove(const std::string& path, bool directory) {
    const NodePtr node = find(path);
    if (!node) return -ENOENT;
    if (node->is_directory() != directory) return directory ? -ENOTDIR : -EISDIR;
    if (!node->now.names.empty()) return -ENOTEMPTY;
    const auto [folder, name] = split(path);
    find(folder)->now.names.erase(name);
    return 0;
  }
  int rename(const std::string& from, const std::string& to) {
    const NodePtr node = find(from);
    const auto [folder, name] = split(to);
    const NodePtr parent = find(folder);
    if (!node || !parent) return -ENOENT;
    if (const NodePtr there = find(to);
        there && there != node && (there->is_directory() || node->is_directory()))
      return -EEXIST;
    const auto [old_folder, old_name] = split(from);
    find(old_folder)->now.names.erase(old_name);
    parent->now.names[name] = node;
    return 0;
  }

  // ---- bytes
  static void touch(Node& n) { ::clock_gettime(CLOCK_REALTIME, &n.changed); }

  static std::size_t read(const Node& n, char* out, std::uint64_t size, std::uint64_t at) {
    if (at >= n.now.size) return 0;
    size = std::min(size, n.now.size - at);
    for (std::uint64_t done = 0; done < size;) {
      const auto [number, begin, length] = piece(at + done, size - done);
      const auto block = n.now.blocks.find(number);
      if (block == n.now.blocks.end()) std::memset(out + done, 0, length);
      else std::memcpy(out + done, block->second->data() + begin, length);
      done += length;
    }
    return size;
  }
  int write(Node& n, const char* data, std::uint64_t size, std::uint64_t at) {
    if (const int e = allocate(n, size, at); e != 0) return e;
    for (std::uint64_t done = 0; done < size;) {
      const auto [number, begin, length] = piece(at + done, size - done);
      auto block = std::make_shared<Block>(*n.now.blocks[number]);
      std::memcpy(block->data() + begin, data + done, length);
      n.now.blocks[number] = std::move(block);
      n.dirty.insert(number);
      done += length;
    }
    n.now.size = std::max(n.now.size, at + size);
    touch(n);
    return 0;
  }
  // Makes blocks for [at, at + size), or changes nothing and returns -ENOSPC.
  int allocate(Node& n, std::uint64_t size, std::uint64_t at) {
    static const auto zeros = std::make_shared<const Block>();
    std::uint64_t wanted = 0;
    const std::uint64_t end = (at + size + block_size - 1) / block_size;
    for (std::uint64_t b = at / block_size; b < end; ++b)
      wanted += n.now.blocks.contains(b) ? 0 : block_size;
    if (wanted > room_) return -ENOSPC;
    if (room_ != everything) room_ -= wanted;
    if (wanted > 0)
      for (std::uint64_t b = at / block_size; b < end; ++b)
        if (n.now.blocks.try_emplace(b, zeros).second) n.dirty.insert(b);
    return 0;
  }
  int resize(Node& n, std::uint64_t size) {
    if (size < n.now.size) {
      if (size % block_size != 0)
        if (const int e = zero(n, block_size - size % block_size, size); e != 0) return e;
      const auto first = n.now.blocks.lower_bound((size + block_size - 1) / block_size);
      for (auto b = first; b != n.now.blocks.end(); ++b) n.dirty.insert(b->first);
      n.now.blocks.erase(first, n.now.blocks.end());
    }
    n.now.size = size;
    touch(n);
    return 0;
  }
  /// Writes zeros without changing the size.
  int zero(Node& n, std::uint64_t size, std::uint64_t at) {
    const std::uint64_t before = n.now.size;
    const std::string zeros(std::min<std::uint64_t>(size, 1u << 20), '\0');
    for (std::uint64_t done = 0; done < size;
         done += std::min<std::uint64_t>(zeros.size(), size - done))
      if (const int e =
              write(n, zeros.data(), std::min<std::uint64_t>(zeros.size(), size - done), at + done);
          e != 0)
        return e;
    n.now.size = std::max(before, n.now.size);
    return 0;
  }

  // ---- durability
  /// Makes a node's current content durable.
  void sync(Node& n) const {
    if (lies_) return;
    for (const std::uint64_t b : n.dirty) keep_block(n, b);
    n.dirty.clear();
    n.durable.size = n.now.size;
    n.durable.names = n.now.names;
  }
  /// Returns the whole tree to its durable state.
  void forget() { forget_below(root_, nullptr); }
  void forget_some(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    forget_below(root_, &random);
  }
  void lie() { lies_ = true; }
  void set_room(std::uint64_t bytes) { room_ = bytes; }

 private:
  struct Piece {
    std::uint64_t number;
    std::uint64_t begin;
    std::uint64_t length;
  };
  /// The part of [at, at + most) that lies in the first block.
  static Piece piece(std::uint64_t at, std::uint64_t most) {
    return {at / block_size, at % block_size, std::min(most, block_size - at % block_size)};
  }
  static void keep_block(Node& n, std::uint64_t b) {
    const auto now = n.now.blocks.find(b);
    if (now == n.now.blocks.end()) n.durable.blocks.erase(b);
    else n.durable.blocks[b] = now->second;
  }

  /// Top down, because a child without a durable name is not visited and so disappears.
  void forget_below(const NodePtr& node, std::mt19937_64* random) {
    Node& n = *node;
    if (random != nullptr) survive(n, *random);
    n.now = n.durable;
    n.dirty.clear();
    for (const auto& [name, child] : n.now.names) forget_below(child, random);
  }
  /// Lets unsynced changes survive by chance. A block behind the old size survives only together
  /// with the new size.
  static void survive(Node& n, std::mt19937_64& random) {
    if (n.is_directory()) {
      if (random() % 2 == 0) n.durable.names = n.now.names;
      return;
    }
    if (n.dirty.empty() && n.durable.size == n.now.size) return;
    const bool size_survives = random() % 2 == 0;
    for (const std::uint64_t b : n.dirty)
      if (random() % 2 == 0 && (size_survives || (b + 1) * block_size <= n.durable.size))
        keep_block(n, b);
    if (size_survives) n.durable.size = n.now.size;
  }

  NodePtr root_ = std::make_shared<Node>();
  std::uint64_t room_ = everything;
  bool lies_ = false;
};

FileSystem files;

// ---- The requests of the kernel
Node& opened(const fuse_file_info* info) { return **reinterpret_cast<NodePtr*>(info->fh); }

/// All caches of the kernel are off: every read asks this file system.
void* begin(fuse_conn_info*, fuse_config* config) {
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  config->hard_remove = 1;
  config->nullpath_ok = 1;
  config->direct_io = 1;
  return nullptr;
}

// Finds the node by its descriptor if there is a descriptor, because the file may have lost its
// name.
template <class Work>
int with_node(const char* path, const fuse_file_info* info, Work work) {
  const std::lock_guard hold(files.mutex);
  if (info != nullptr && info->fh != 0) return work(opened(info));
  const NodePtr node = path == nullptr ? nullptr : files.find(path);
  return node ? work(*node) : -ENOENT;
}

int get_attributes(const char* path, struct stat* out, fuse_file_info* info) {
  return with_node(path, info, [&](const Node& n) {
    *out = {};
    out->st_mode = n.mode;
    out->st_nlink = 1;
    out->st_uid = ::getuid();
    out->st_gid = ::getgid();
    out->st_size = static_cast<off_t>(n.now.size);
    out->st_blocks = static_cast<blkcnt_t>(n.now.blocks.size() * (block_size / 512));
    out->st_blksize = block_size;
    out->st_mtim = out->st_ctim = out->st_atim = n.changed;
    return 0;
  });
}

int open_node(const char* path, fuse_file_info* info) {
  const std::lock_guard hold(files.mutex);
  const NodePtr node = files.find(path);
  if (!node) return -ENOENT;
  if ((info->flags & O_TRUNC) != 0)
    if (const int e = files.resize(*node, 0); e != 0) return e;
  info->fh = reinterpret_cast<std::uint64_t>(new NodePtr(node));
  return 0;
}

int create(const char* path, mode_t mode, fuse_file_info* info) {
  const std::lock_guard hold(files.mutex);
  NodePtr node;
  if (const int e = files.make(path, S_IFREG | (mode & 07777), node); e != 0) return e;
  info->fh = reinterpret_cast<std::uint64_t>(new NodePtr(node));
  return 0;
}

int release(const char*, fuse_file_info* info) {
  const std::lock_guard hold(files.mutex);
  delete reinterpret_cast<NodePtr*>(info->fh);
  return 0;
}

int make_directory(const char* path, mode_t mode) {
  const std::lock_guard hold(files.mutex);
  NodePtr node;
  return files.make(path, S_IFDIR | (mode & 07777), node);
}

int list(const char* path, void* out, fuse_fill_dir_t fill, off_t, fuse_file_info* info,
         fuse_readdir_flags) {
  return with_node(path, info, [&](const Node& n) {
    for (const char* name : {".", ".."}) fill(out, name, nullptr, 0, {});
    for (const auto& [name, child] : n.now.names) fill(out, name.c_str(), nullptr, 0, {});
    return 0;
  });
}

int read(const char* path, char* out, std::size_t size, off_t at, fuse_file_info* info) {
  return with_node(path, info, [&](const Node& n) {
    return static_cast<int>(FileSystem::read(n, out, size, static_cast<std::uint64_t>(at)));
  });
}

int write(const char* path, const char* data, std::size_t size, off_t at, fuse_file_info* info) {
  return with_node(path, info, [&](Node& n) {
    const int e =
        files.write(n, data, size,
                    static_cast<std::uint64_t>(
                        (info->flags & O_APPEND) != 0 ? static_cast<off_t>(n.now.size) : at));
    return e != 0 ? e : static_cast<int>(size);
  });
}

int truncate(const char* path, off_t size, fuse_file_info* info) {
  return with_node(path, info,
                   [&](Node& n) { return files.resize(n, static_cast<std::uint64_t>(size)); });
}

/// fallocate: reserves blocks, or zeros a range.
int allocate(const char* path, int mode, off_t at, off_t size, fuse_file_info* info) {
  const auto begin_at = static_cast<std::uint64_t>(at);
  const auto length = static_cast<std::uint64_t>(size);
  return with_node(path, info, [&](Node& n) {
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE)) != 0) return -EOPNOTSUPP;
    const std::uint64_t before = n.now.size;
    if ((mode & FALLOC_FL_ZERO_RANGE) != 0) {
      if (const int e = files.zero(n, length, begin_at); e != 0) return e;
    } else if (const int e = files.allocate(n, length, begin_at); e != 0) {
      return e;
    }
    n.now.size = (mode & FALLOC_FL_KEEP_SIZE) != 0 ? before : std::max(before, begin_at + length);
    return 0;
  });
}

int sync(const char* path, int, fuse_file_info* info) {
  std::this_thread::sleep_for(sync_takes);
  return with_node(path, info, [&](Node& n) {
    files.sync(n);
    return 0;
  });
}

fuse_operations operations() {
  fuse_operations o{};
  o.init = begin;
  o.getattr = get_attributes;
  o.open = open_node;
  o.opendir = open_node;
  o.create = create;
  o.release = release;
  o.releasedir = release;
  o.mkdir = make_directory;
  o.unlink = [](const char* path) {
    const std::lock_guard hold(files.mutex);
    return files.remove(path, false);
  };
  o.rmdir = [](const char* path) {
    const std::lock_guard hold(files.mutex);
    return files.remove(path, true);
  };
  o.rename = [](const char* from, const char* to, unsigned flags) {
    const std::lock_guard hold(files.mutex);
    return flags != 0 ? -EINVAL : files.rename(from, to);
  };
  o.chmod = [](const char* path, mode_t mode, fuse_file_info* info) {
    return with_node(path, info, [&](Node& n) {
      n.mode = (n.mode & S_IFMT) | (mode & 07777);
      return 0;
    });
  };
  o.utimens = [](const char* path, const timespec*, fuse_file_info* info) {
    return with_node(path, info, [](Node&) { return 0; });
  };
  o.statfs = [](const char*, struct statvfs* out) {
    *out = {};
    out->f_bsize = out->f_frsize = block_size;
    out->f_namemax = 255;
    return 0;
  };
  o.readdir = list;
  o.read = read;
  o.write = write;
  o.truncate = truncate;
  o.fallocate = allocate;
  o.fsync = sync;
  o.fsyncdir = sync;
  return o;
}

/// Carries out a command line; false if it is not understood.
bool obey(const std::string& line) {
  std::istringstream words(line);
  std::string what, how;
  std::uint64_t number = 0;
  words >> what;
  const std::lock_guard hold(files.mutex);
  if (what == "room" && words >> how) files.set_room(how == "all" ? everything : std::stoull(how));
  else if (what == "forget" && !(words >> how)) files.forget();
  else if (what == "forget" && how == "some" && words >> number) files.forget_some(number);
  else if (what == "lie") files.lie();
  else return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: forgetful_fs MOUNTPOINT\n");
    return 2;
  }
  const fuse_operations asked = operations();
  std::array<char*, 3> arguments{argv[0], const_cast<char*>("-o"),
                                 const_cast<char*>("fsname=forgetful")};
  fuse_args args = FUSE_ARGS_INIT(static_cast<int>(arguments.size()), arguments.data());
  fuse* f = fuse_new(&args, &asked, sizeof asked, nullptr);
  if (f == nullptr || fuse_mount(f, argv[1]) != 0) return 1;
  // Commands are read on a thread of their own while FUSE serves the mount.
  std::thread([f] {
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);)
      std::cout << (obey(line) ? "done" : "not understood") << std::endl;
    fuse_exit(f);
    fuse_unmount(f);
  }).detach();
  fuse_loop_config* config = fuse_loop_cfg_create();
  const int code = fuse_loop_mt(f, config);
  fuse_loop_cfg_destroy(config);
  std::_Exit(code < 0 ? 1 : 0);
}
