// Rows of loglog-micro for formats: messages to bytes and back; checksums, frames and runs.
#include <fmt/format.h>

#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/check.h"
#include "proto-spec/wire/codec.h"
#include "storage-node/core/log_tail.h"
#include "tests/benchmarks/measure.h"

namespace loglog::benchmarks {
namespace {

constexpr LogId log_id{7};

std::string text_of(std::uint32_t size) {
  return size < 1024 ? fmt::format("{} B", size) : fmt::format("{} KiB", size >> 10);
}

// Makes a run of `count` entries of `size` bytes each.
Bytes run_of(std::uint32_t count, std::uint32_t size) {
  const Bytes payload = Bytes::copy_of(std::string(size, 'x'));
  Bytes images = Bytes::allocate(std::size_t{count} * (size + frame_overhead));
  for (std::uint32_t i = 0; i < count; ++i)
    write_frame_image(images.mutable_data() + std::size_t{i} * (size + frame_overhead),
                      FrameKind::entry, ProducerId{11}, Sequence{1 + i}, payload);
  return images;
}

/// Head and tail in a single block, as a receiver has them.
Bytes joined(const Encoded& e) {
  Bytes whole = Bytes::allocate(e.size());
  std::memcpy(whole.mutable_data(), e.head.data(), e.head.size());
  if (!e.tail.empty())
    std::memcpy(whole.mutable_data() + e.head.size(), e.tail.data(), e.tail.size());
  return whole;
}

}  // namespace

void codec_rows(Table& table) {
  table.heading("Codec", "message");
  const Bytes frames = run_of(60, 1024);
  const Reference run = *check_images(frames, true);
  const Order order{log_id,
                    Term{3},
                    RaftIndex{5},
                    Offset{1000},
                    Term{3},
                    Offset{900},
                    std::vector<OrderItem>(16, {run, {}})};
  const std::pair<const char*, Message> messages[] = {
      {"Upload of 62 KiB", Upload{log_id, run, frames}},
      {"Commit", Commit{log_id, Term{3}, Sequence{9}, run}},
      {"Order of 16 runs", order},
      {"Durable", Durable{log_id, Term{3}, Offset{5000}, Chain{77}, Offset{}, Chain{}}},
      {"Committed", Committed{log_id, Term{3}, ProducerId{11}, Sequence{1}, Offset{1000}}},
  };
  for (const auto& [name, message] : messages) {
    table.row(fmt::format("encode {}", name),
              each([&message = message] { keep(encode(RequestId{1}, message)); }));
    const Bytes whole = joined(encode(RequestId{1}, message));
    table.row(fmt::format("decode {}", name), each([&whole] {
                const auto received = decode(whole);
                check(received.has_value(), "what was encoded is refused");
                keep(received);
              }));
  }
}

void disk_format_rows(Table& table) {
  table.heading("Disk formats", "operation");
  for (const std::uint32_t size : {128u, 1024u, 65'536u}) {
    const Bytes payload = Bytes::copy_of(std::string(size, 'x'));
    table.row("payload checksum, " + text_of(size),
              each([&payload] { keep(payload_checksum(payload)); }), size);
  }
  Bytes frame = run_of(1, 1024);
  table.row("prefix checksum",
            each([&frame] { keep(prefix_checksum(frame.data(), log_id, Offset{4096})); }));
  table.row("chain over one prefix", each([&frame, chain = Chain{}]() mutable {
              keep(chain = extend_chain(chain, frame.data()));
            }));
  for (const std::uint32_t size : {128u, 1024u, 65'536u}) {
    const std::uint32_t count = size == 65'536 ? 1 : 64;
    const Bytes payload = Bytes::copy_of(std::string(size, 'x'));
    Bytes images = run_of(count, size);
    const std::string what = fmt::format("run of {} × {}", count, text_of(size));
    table.row("frame image, " + text_of(size), each([&images, &payload] {
                write_frame_image(images.mutable_data(), FrameKind::entry, ProducerId{11},
                                  Sequence{1}, payload);
              }),
              size);
    table.row("check, " + what, each([&images] {
                check(check_images(images, true).has_value(), "a good run is refused");
              }),
              count * size);
    storage::Tail tail{Offset{4096}, Chain{5}, Term{3}, {}, {}};
    std::vector<TermStart> terms{{Term{3}, Offset{0}}};
    table.row("stamp_run, " + what,
              each([&] { storage::stamp_run(images, log_id, Term{3}, tail, terms); }),
              count * size);
  }
}

}  // namespace loglog::benchmarks
