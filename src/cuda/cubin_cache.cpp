#include "cuda/cubin_cache.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <chrono>
#include <cstdlib>
#include <system_error>

#include <ito/error.hpp>

#include "io/file.hpp"
#include "model/text.hpp"

namespace ito::cuda {
namespace {

constexpr std::size_t checksum_digits = 32;

/// Covers the key too: an entry that was renamed is as wrong as one that was altered.
std::string checksum(const std::string& key, std::string_view cubin) {
  return digest(key + digest(cubin));
}

/// Removes what processes that ended while they wrote have left: an entry is written in seconds.
void remove_leftovers(const std::filesystem::path& folder) {
  std::error_code error;
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    const auto written = entry->last_write_time(gone);
    if (is_temporary(entry->path()) && !gone && written < old)
      std::filesystem::remove(entry->path(), gone);
  }
}

}  // namespace

std::string digest(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::filesystem::path CubinCache::default_folder() {
  if (const char* own = std::getenv("ITO_CACHE_DIR")) return own;
  // The XDG Base Directory Specification has relative paths ignored.
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/')
    return std::filesystem::path(cache) / "ito";
  if (const char* home = std::getenv("HOME"); home && *home != '\0')
    return std::filesystem::path(home) / ".cache" / "ito";
  return {};
}

std::optional<std::string> CubinCache::load(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file(key), error)) return std::nullopt;
  try {
    std::string entry = read_file(file(key));
    if (entry.size() <= checksum_digits) return std::nullopt;
    const std::string expected = entry.substr(0, checksum_digits);
    entry.erase(0, checksum_digits);
    if (checksum(key, entry) != expected) return std::nullopt;
    return entry;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void CubinCache::store(const std::string& key, std::string_view cubin) const {
  if (folder_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  remove_leftovers(folder_);
  try {
    AtomicFile entry(file(key));
    entry.write(checksum(key, cubin));
    entry.write(cubin);
    entry.commit();
  } catch (const Error&) {
    // Compiled again next time.
  }
}

std::string CubinCache::refusal() const {
  if (folder_.empty()) return {};
  // A file in the folder, or in the one it would be made in, that goes away without a commit.
  std::error_code error;
  std::filesystem::path place = std::filesystem::absolute(folder_, error);
  while (place.has_relative_path() && !std::filesystem::exists(place, error))
    place = place.parent_path();
  const std::filesystem::path file = place / ".ito-probe";
  try {
    const AtomicFile probe(file);
  } catch (const Error& refused) {
    // Its message begins with the probe's name.
    return folder_.string() + std::string(refused.what()).substr(printable(file.string()).size());
  }
  return {};
}

std::uintmax_t CubinCache::bytes() const {
  std::uintmax_t sum = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    const auto size = entry->file_size(gone);
    if (entry->path().extension() == ".cubin" && !gone) sum += size;
  }
  return sum;
}

}  // namespace ito::cuda
