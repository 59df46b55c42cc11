// Golden bytes: the encodings of wire and disk, compared byte by byte with the files of
// proto-spec/golden, and with the worked examples of the specification.
// LOGLOG_BLESS=1 writes the files anew. A changed golden file is a change of protocol and needs its
// specification in the same commit.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "proto-spec/disk/frame.h"
#include "proto-spec/disk/journal.h"
#include "proto-spec/disk/raft_log.h"
#include "proto-spec/disk/segment.h"
#include "proto-spec/disk/tombstones.h"
#include "proto-spec/wire/codec.h"
#include "proto-spec/wire/field_codec.h"
#include "sequencer/core/commands.h"

using namespace loglog;
namespace fs = std::filesystem;

namespace {

const fs::path root = fs::path(__FILE__).parent_path().parent_path().parent_path();
const fs::path golden = root / "proto-spec" / "golden";

std::string hex(ByteSpan bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += fmt::format("{:02x}", static_cast<unsigned>(bytes[i]));
    out += (i % 16 == 15 || i + 1 == bytes.size()) ? '\n' : ' ';
  }
  return out;
}

Bytes unhex(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::byte> out;
  for (std::string word; in >> word;)
    out.push_back(static_cast<std::byte>(std::stoul(word, nullptr, 16)));
  return Bytes::copy_of(ByteSpan(out));
}

std::string slurp(const fs::path& p) {
  std::ifstream in(p);
  std::ostringstream s;
  s << in.rdbuf();
  return s.str();
}

/// Compares with a golden file, or writes the file first if LOGLOG_BLESS is set.
void compare(const fs::path& file, ByteSpan bytes) {
  if (std::getenv("LOGLOG_BLESS") != nullptr) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << hex(bytes);
  }
  INFO("golden file " << file.filename().string());
  REQUIRE(fs::exists(file));
  CHECK(slurp(file) == hex(bytes));
}

// Fills every field of a message with a different value, the same in every run, so that swapped
// fields show.
struct Filler {
  std::uint8_t version = 1;
  std::uint64_t n = 0;
  template <class T>
  void operator()(const char*, T& v) {
    value(v);
  }
  void tail(const char*, Bytes& b) { b = Bytes::copy_of(std::string_view("tail bytes")); }
  template <class T>
  void value(T& v) {
    ++n;
    if constexpr (std::is_same_v<T, std::string>) v = "text" + std::to_string(n);
    else if constexpr (std::is_same_v<T, Bytes>) v = Bytes::copy_of(std::string_view("bytes"));
    else if constexpr (std::is_same_v<T, bool>) v = true;
    else if constexpr (is_vector<T>) {
      v.resize(2);
      for (auto& e : v) value(e);
    } else if constexpr (is_strong<T>) v.value = static_cast<typename T::rep>(n * 0x0101);
    else if constexpr (std::is_enum_v<T>) v = static_cast<T>(1);
    else if constexpr (std::is_integral_v<T>) v = static_cast<T>(n);
    else for_each_field(v, *this);
  }
};

/// True if the message appeared in `version`, or if messages.def gives it a field in that version.
template <class M>
bool is_of(std::uint8_t version, int since) {
  if (version == since) return true;
  M m;
  FieldSizer before{.version = static_cast<std::uint8_t>(version - 1)}, then{.version = version};
  for_each_field(m, before);
  for_each_field(m, then);
  return version > since && before.size != then.size;
}

/// Checks both directions: encoding gives the golden bytes, and the golden bytes decode to the same
/// message.
template <class M>
void check_message(std::uint8_t version, int since) {
  if (!is_of<M>(version, since)) return;
  M m;
  Filler f{.version = version};
  for_each_field(m, f);
  const Encoded e = encode(RequestId{7}, m, version);
  Bytes whole = Bytes::allocate(e.size());
  std::memcpy(whole.mutable_data(), e.head.data(), e.head.size());
  if (!e.tail.empty())
    std::memcpy(whole.mutable_data() + e.head.size(), e.tail.data(), e.tail.size());
  // NAME.hex holds the first version's bytes, NAME.3.hex the bytes after a change in version 3.
  const std::string name{name_of(M::type)};
  const fs::path file =
      golden / "wire" /
      (version == since ? name + ".hex" : fmt::format("{}.{}.hex", name, version));
  compare(file, whole);
  const auto back = decode(unhex(slurp(file)));
  REQUIRE(back.has_value());
  CHECK(back->request == RequestId{7});
  REQUIRE(std::holds_alternative<M>(back->message));
  CHECK(std::get<M>(back->message) == m);
}

/// Stamps a frame image as a storage node does (F1).
Bytes stamped(Bytes image, Term term, LogId log, Offset at, Chain before, Chain* after = nullptr) {
  const Chain c = stamp_frame(image.mutable_data(), static_cast<std::uint32_t>(image.size()), term,
                              log, at, before);
  if (after != nullptr) *after = c;
  return image;
}

Bytes entry_image(std::string_view payload) {
  Bytes b = Bytes::allocate(payload.size() + frame_overhead);
  write_frame_image(b.mutable_data(), FrameKind::entry, ProducerId{0x1122334455667788}, Sequence{1},
                    Bytes::copy_of(payload));
  return b;
}

}  // namespace

TEST_CASE(
    "every message has its golden bytes and comes back from them, in each version that changed "
    "it") {
  // The loop runs over all versions that messages.def names, including versions above
  // protocol_highest that are still being prepared.
  int newest = 1;
#define LOGLOG_MESSAGE(number, Name, direction, since) newest = std::max(newest, since);
#define LOGLOG_FIELD_SINCE(since, type, name) newest = std::max(newest, since);
#include "proto-spec/messages.def"
  CHECK(newest >= protocol_highest);
  for (std::uint8_t version = 1; version <= newest; ++version) {
#define LOGLOG_MESSAGE(number, Name, direction, since) check_message<Name>(version, since);
#include "proto-spec/messages.def"
  }
}

TEST_CASE("a field of a newer version is not sent in an older one, nor looked for") {
  Status s;
  s.id = SequencerId{3};
  s.protocol = 9;
  // `protocol` is a field since version 3, so version 2 neither sends nor expects it.
  const Encoded older = encode(RequestId{1}, s, 2), newer = encode(RequestId{1}, s, 3);
  CHECK(newer.head.size() == older.head.size() + 1);
  const auto from_older = decode(older.head), from_newer = decode(newer.head);
  REQUIRE(from_older.has_value());
  REQUIRE(from_newer.has_value());
  CHECK(std::get<Status>(from_older->message).protocol == 0);
  CHECK(std::get<Status>(from_newer->message).protocol == 9);
}

TEST_CASE("frames have their golden bytes") {
  compare(golden / "disk" / "frame-image.hex", entry_image("hello, log"));
  compare(golden / "disk" / "frame-stamped.hex",
          stamped(entry_image("hello, log"), Term{5}, LogId{3}, Offset{9216}, Chain{}));
  compare(golden / "disk" / "frame-empty-entry.hex",
          stamped(entry_image(""), Term{1}, LogId{1}, Offset{96}, Chain{}));
  TermStartPayload t{no_offset,
                     Term{},
                     InstanceId{0xABCDEF},
                     1'700'000'000'000,
                     2,
                     {{NodeId{1}, DiskId{11}}, {NodeId{2}, DiskId{22}}, {NodeId{3}, DiskId{33}}}};
  const Bytes term_start =
      stamped(make_term_start_image(t), Term{1}, LogId{1}, Offset{61}, Chain{1});
  compare(golden / "disk" / "frame-term-start.hex", term_start);
  const auto look = look_at_frame(term_start, LogId{1}, Offset{61}, true);
  CHECK(look.state == FrameState::good);
  CHECK(read_term_start(term_start.span().subspan(frame_prefix_size, look.prefix.payload_length)) ==
        t);
  SegmentStartPayload s{1'700'000'000'000, Term{1}, Offset{0}};
  const Bytes segment_start =
      stamped(make_segment_start_image(s), Term{1}, LogId{1}, Offset{65536}, Chain{2});
  compare(golden / "disk" / "frame-segment-start.hex", segment_start);
  CHECK(read_segment_start(segment_start.span().subspan(
            frame_prefix_size,
            look_at_frame(segment_start, LogId{1}, Offset{65536}, true).prefix.payload_length)) ==
        s);
}

TEST_CASE("files have their golden bytes") {
  const SegmentHeader h{ClusterId{0xC1}, LogId{3}, Offset{65536}, Chain{0xCAFE}};
  Bytes header = encode_segment_header(h);
  const Marks m{5, Offset{70000}, Chain{0xBEEF}, Offset{69000}};
  std::memcpy(header.mutable_data() + marks_slot_at[m.counter % 2], encode_marks(m).data(),
              marks_slot_size);
  compare(golden / "disk" / "segment-header.hex", header);
  CHECK(decode_segment_header(header).value() == h);
  CHECK(decode_marks(header) == m);
  const Promise p{2, Term{7}, InstanceId{0x77}};
  compare(golden / "disk" / "promise-slot.hex", encode_promise(p));
  const Identity i{ClusterId{0xC1}, DiskId{0xD1}, 2, 3, "demo"};
  compare(golden / "disk" / "identity.hex", encode_identity(i));
  CHECK(decode_identity(encode_identity(i)).value() == i);
  const Identity raised{ClusterId{0xC1}, DiskId{0xD1}, 2, 3, "demo", 2};
  compare(golden / "disk" / "identity-raised.hex", encode_identity(raised));
  CHECK(decode_identity(encode_identity(raised)).value() == raised);
  const Tombstones t{3, LogId{7}, {LogId{9}, LogId{12}}};
  compare(golden / "disk" / "tombstones.hex", encode_tombstones(t));
  CHECK(decode_tombstones(encode_tombstones(t)) == t);
  std::string log(encode_raft_header({1, raft_header_size}).text());
  append_record(log, RaftHardState{RaftTerm{7}, SequencerId{2}});
  append_record(log, RaftEntry{RaftTerm{7}, RaftIndex{9}, Bytes::copy_of("command")});
  append_cut(log, RaftIndex{9});
  // A record file with a hard state, an entry, a cut and its mark (spec/02 R1, R2).
  const RaftMark mark{2, log.size()};
  log.replace(raft_mark_at(mark), raft_mark_size, encode_raft_mark(mark).text());
  compare(golden / "disk" / "raft-log.hex", Bytes::copy_of(log));
  compare(golden / "disk" / "raft-mark.hex", encode_raft_mark(mark));
  const auto end = read_raft_log(Bytes::copy_of(log), {[](const RaftHardState&) {},
                                                       [](const RaftEntry&) {}, [](RaftIndex) {}});
  REQUIRE(end);
  CHECK(end->good == log.size());
  CHECK(end->mark == mark);
  compare(golden / "disk" / "snapshot.hex",
          encode_snapshot({RaftIndex{9}, RaftTerm{7}, Bytes::copy_of("state")}));
}

TEST_CASE("a journal's slot and record have their golden bytes (J2, J5)") {
  const JournalFileHeader slot{6, ClusterId{0xC1}, DiskId{0xD1}, 2, 4, RecordNumber{70}};
  compare(golden / "disk" / "journal-slot.hex", encode_journal_slot(slot));
  CHECK(decode_journal_header(encode_journal_header(slot)) == slot);
  // A group of log 3, and the marks of log 4 alone.
  const Bytes frames =
      stamped(entry_image("hello, log"), Term{5}, LogId{3}, Offset{9216}, Chain{0xCAFE});
  const std::vector<JournalEntry> entries{
      {LogId{3}, Offset{9216}, static_cast<std::uint32_t>(frames.size()), false, Offset{8192},
       Chain{0xCAFE}, Offset{9000}, Offset{9216}, journal_checksum(std::span(&frames, 1))},
      {LogId{4}, Offset{500}, 0, false, Offset{0}, Chain{0xBEEF}, Offset{500}, Offset{500},
       journal_checksum({})}};
  const JournalHeader header{ClusterId{0xC1}, DiskId{0xD1}, RecordNumber{71}, 0x1122334455667788};
  std::string record(encode_journal_head(header, entries).text());
  record += frames.text();
  const Bytes bytes = Bytes::copy_of(record);
  compare(golden / "disk" / "journal-record.hex", bytes);
  const JournalRecord back = look_at_journal_record(bytes);
  CHECK(back.state == JournalState::good);
  CHECK(back.header == header);
  CHECK(back.entries == entries);
}

TEST_CASE(
    "files of a format with other frames are refused by the format's number, not as damage (Z6)") {
  // Pretends that an older format wrote the file, by changing the version field alone.
  const auto older = [](Bytes file, std::size_t version_at) {
    file.mutable_data()[version_at] = std::byte{1};
    return file;
  };
  const auto header = decode_segment_header(
      older(encode_segment_header({ClusterId{0xC1}, LogId{3}, Offset{65536}, Chain{}}), 8));
  const auto identity =
      decode_identity(older(encode_identity({ClusterId{0xC1}, DiskId{0xD1}, 2, 3, "demo"}), 4));
  REQUIRE(!header);
  REQUIRE(!identity);
  CHECK(header.error().code == Errc::newer_format);
  CHECK(header.error().detail == "segment format 1, this version reads 2");
  CHECK(identity.error().code == Errc::newer_format);
  CHECK(identity.error().detail == "identity format 1, this version reads 2 and 3");
}

TEST_CASE("records have their golden bytes in each version of records (T7)") {
  ClusterMetadata m{RaftIndex{9},
                    ClusterId{0xC1},
                    "demo",
                    Term{7},
                    {{SequencerId{1}, "s:1"}},
                    {{NodeId{2}, DiskId{0xD2}, "n:2"}},
                    {}};
  compare(golden / "disk" / "record-metadata.hex", encode_record(m, 1));
  m.record_version = 2;
  compare(golden / "disk" / "record-metadata.2.hex", encode_record(m, 2));
  const sequencer::Command open = sequencer::MarkOpen{LogId{3}};
  compare(golden / "disk" / "record-command.hex", sequencer::encode(open, 1));
  compare(golden / "disk" / "record-command.2.hex", sequencer::encode(open, 2));
  compare(golden / "disk" / "record-raise.hex",
          sequencer::encode(sequencer::Command(sequencer::RaiseVersion{2}), 1));
}

TEST_CASE("the worked bytes of the prose are the golden bytes") {
  int blocks = 0;
  for (const auto& f : fs::directory_iterator(root / "proto-spec" / "spec")) {
    if (f.path().extension() != ".md") continue;
    std::istringstream in(slurp(f.path()));
    std::string name;
    bool in_block = false;
    std::string bytes;
    for (std::string line; std::getline(in, line);) {
      // A block that ```hex FILE opens repeats the beginning of that golden file. The text behind
      // is an explanation.
      if (!in_block && line.starts_with("```hex ")) {
        name = line.substr(7);
        in_block = true;
        bytes.clear();
      } else if (in_block && line == "```") {
        in_block = false;
        ++blocks;
        INFO(f.path().filename().string() << ": " << name);
        const Bytes told = unhex(bytes);
        const Bytes blessed = unhex(slurp(golden / name));
        REQUIRE(told.size() > 0);
        REQUIRE(told.size() <= blessed.size());
        CHECK(told == blessed.slice(0, told.size()));
      } else if (in_block) {
        bytes += line.substr(0, line.find('|')) + ' ';
      }
    }
  }
  CHECK(blocks >= 3);
}

TEST_CASE("numbers of messages and errors are used once") {
  std::vector<unsigned> numbers;
#define LOGLOG_MESSAGE(number, Name, direction, since) numbers.push_back(number);
#include "proto-spec/messages.def"
  std::sort(numbers.begin(), numbers.end());
  CHECK(std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end());
  CHECK(numbers.front() > 0);
  // Every golden file of the wire belongs to a message in use; a retired message's file moves to
  // golden/retired.
  for (const auto& f : fs::directory_iterator(golden / "wire")) {
    bool known = false;
    const std::string stem = f.path().stem().string();  // NAME or NAME.VERSION
    for (unsigned n : numbers)
      known = known || name_of(static_cast<MessageType>(n)) == stem.substr(0, stem.find('.'));
    INFO(f.path().filename().string());
    CHECK(known);
  }
}
