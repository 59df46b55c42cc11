// The start reads identity and promise together, because each of them without the other is a loss.
// Then the verdicts about the disk, which sequencers bring about.
#include "storage-node/core/node_identity.h"

#include <algorithm>

#include "storage-node/core/rules.h"

namespace loglog::storage {

Result<bool> NodeIdentity::start(StartupDisk& disk) {
  const auto saved = not_absent(disk.file("identity"));
  if (!saved) return std::unexpected(saved.error());
  const auto promise_file = not_absent(disk.file("promise"));
  if (!promise_file) return std::unexpected(promise_file.error());
  const auto found = decode_promise(*promise_file);
  if (found) promise.found(*found);
  if (saved->empty()) {
    const auto logs = not_absent(disk.logs());
    if (!logs) return std::unexpected(logs.error());
    if (rules::is_identity_lost(!logs->empty())) node_.data_loss = true;
    node_.identity = fresh(DiskId{node_.random.next_id()});
    return true;
  }
  auto identity = decode_identity(*saved);
  if (!identity) {
    if (identity.error().code == Errc::newer_format) return std::unexpected(identity.error());
    node_.event(Event::Level::alarm, "DATA LOSS: " + identity.error().message());
    node_.data_loss = true;
    // The node runs with data loss, so that its logs can still be read; its disk id stays 0.
    node_.identity = fresh(DiskId{});
    return false;
  }
  if (identity->id != node_.options.id.value ||
      identity->cluster_name != node_.options.cluster_name)
    return fail(
        Errc::wrong_identity,
        fmt::format(
            "the data directory belongs to node {} of cluster \"{}\", started as node {} of \"{}\"",
            identity->id, identity->cluster_name, node_.options.id.value,
            node_.options.cluster_name));
  if (!rules::may_start(identity->record_version, node_.options.record_version_highest))
    return std::unexpected(unreadable_records(*identity, node_.options.record_version_highest));
  node_.identity = *identity;
  this->saved(identity->record_version);
  if (rules::is_promise_lost(!found)) {
    node_.data_loss = true;
    node_.event(
        Event::Level::alarm,
        "DATA LOSS: the promise cannot be read; this node seals and acknowledges nothing (T4)");
  }
  return false;
}

void NodeIdentity::saved(std::uint8_t record_version) {
  durable_ = true;
  version_saved_ = std::max(version_saved_, record_version);
}

/// An unreadable identity is not written anew, because the disk's id is lost (T4).
bool NodeIdentity::name_version(std::uint8_t version) {
  if (!durable_ || version <= node_.identity.record_version) return false;
  node_.identity.record_version = version;
  node_.event(Event::Level::info,
              fmt::format("the cluster's records are of version {} from now on", version));
  return true;
}

/// The identity of a node that belongs to no cluster yet.
Identity NodeIdentity::fresh(DiskId disk) const {
  return {{},
          disk,
          node_.options.id.value,
          static_cast<std::uint8_t>(Role::storage),
          node_.options.cluster_name};
}

Hello NodeIdentity::hello() const {
  return {hello_magic,
          protocol_lowest,
          protocol_highest,
          Role::storage,
          node_.identity.cluster,
          node_.options.cluster_name,
          node_.options.id.value,
          boot_,
          node_.identity.disk,
          message_body_max};
}

bool NodeIdentity::adopt(ClusterId cluster, const std::string& name) {
  if (node_.identity.cluster != ClusterId{} || cluster == ClusterId{} ||
      name != node_.options.cluster_name)
    return false;
  node_.identity.cluster = cluster;
  node_.event(Event::Level::info,
              fmt::format("adopts cluster {:016x} \"{}\"", cluster.value, name));
  return true;
}

/// The start is counted only after this question: an older copy that counted its starts would have
/// the newest count after enough of them.
bool NodeIdentity::is_older_copy(const ClusterMetadata& told) const {
  if (start_counted_) return false;
  return std::ranges::any_of(told.storage, [this](const StorageInfo& s) {
    return s.id == node_.options.id && s.disk == node_.identity.disk &&
           rules::is_older_copy(promise.found(), s.promise_count);
  });
}

void NodeIdentity::heed_loss() {
  const auto own = [this](const StorageInfo& s) {
    return s.id == node_.options.id && s.disk == node_.identity.disk && s.lost;
  };
  if (node_.data_loss || !rules::is_disk_lost(std::ranges::any_of(node_.metadata.storage, own)))
    return;
  node_.data_loss = true;
  node_.event(
      Event::Level::alarm,
      fmt::format(
          "DATA LOSS: this disk lacks bytes that it had acknowledged; it counts as down until an "
          "empty one takes its "
          "place: move the directory aside, start the node, then loglog nodes replace-disk {}",
          node_.options.id.value));
}

}  // namespace loglog::storage
