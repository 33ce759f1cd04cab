#include "cuda/cubin_cache.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "cuda/environment.hpp"
#include "io/file.hpp"
#include "io/file_size_limit.hpp"
#include "io/temporary_folder.hpp"

namespace ito::cuda {
namespace {

namespace fs = std::filesystem;

const std::string cubin(100'000, 'c');

TEST(Digest, IsXxh3Of128Bits) {
  EXPECT_EQ(digest(""), "99aa06d3014798d86001c324468d497f");  // as `xxhsum -H2` prints it
  EXPECT_NE(digest("ab"), digest("ba"));
  EXPECT_EQ(digest(std::string(1'000'000, 'a')), digest(std::string(1'000'000, 'a')));
}

TEST(CubinCache, FindsWhatWasStoredAlsoInAnotherProcess) {
  const TemporaryFolder folder;
  CubinCache(folder / "new" / "er").store("key", cubin);
  const CubinCache other(folder / "new" / "er");
  EXPECT_EQ(other.load("key"), cubin);
  EXPECT_EQ(other.load("another"), std::nullopt);
  EXPECT_EQ(other.bytes(), fs::file_size(folder / "new" / "er" / "key.cubin"));
  EXPECT_GT(other.bytes(), cubin.size());
}

TEST(CubinCache, DoesNotFindAnEntryThatWasDamagedAndReplacesIt) {
  const TemporaryFolder folder;
  const CubinCache cache(folder.path());
  const fs::path file = folder / "key.cubin";
  cache.store("key", cubin);
  const std::string whole = read_file(file);
  std::string flipped = whole;
  flipped[flipped.size() / 2] ^= 1;
  std::string other_checksum = whole;
  other_checksum[5] = other_checksum[5] == '0' ? '1' : '0';
  for (const std::string& damaged :
       {flipped, other_checksum, whole.substr(0, whole.size() - 1), whole.substr(0, 32),
        whole.substr(0, 10), std::string(), whole + "x", std::string(whole.size(), '\0')}) {
    std::ofstream(file, std::ios::binary) << damaged;
    EXPECT_EQ(cache.load("key"), std::nullopt);
    cache.store("key", cubin);
    EXPECT_EQ(cache.load("key"), cubin);
  }
  fs::rename(file, folder / "another.cubin");
  EXPECT_EQ(cache.load("another"), std::nullopt) << "an entry of another key";
}

TEST(CubinCache, RemovesWhatAKilledProcessLeftAndNothingThatIsBeingWritten) {
  const TemporaryFolder folder;
  for (const char* name : {".ito-1-0.tmp", ".ito-1-1.tmp", "mine.tmp"})
    std::ofstream(folder / name) << "half";
  const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(24);
  for (const char* name : {".ito-1-0.tmp", "mine.tmp"})
    fs::last_write_time(folder / name, yesterday);
  CubinCache(folder.path()).store("key", cubin);
  EXPECT_FALSE(fs::exists(folder / ".ito-1-0.tmp"));
  EXPECT_TRUE(fs::exists(folder / ".ito-1-1.tmp"));
  EXPECT_TRUE(fs::exists(folder / "mine.tmp"));
}

TEST(CubinCache, KeepsNothingWhereNoFolderCanBeWritten) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "not a folder";
  // /proc refuses even the superuser.
  for (const fs::path& place : {fs::path("/proc/self"), fs::path("/proc/ito"), folder / "file",
                                folder / "file" / "below", fs::path()}) {
    const CubinCache cache(place);
    cache.store("key", cubin);
    EXPECT_EQ(cache.load("key"), std::nullopt) << place;
    EXPECT_EQ(cache.bytes(), 0u) << place;
    EXPECT_EQ(cache.refusal().empty(), place.empty()) << cache.refusal();
    EXPECT_TRUE(cache.refusal().starts_with(place.string())) << cache.refusal();
  }
  EXPECT_EQ(CubinCache(folder / "new" / "er").refusal(), "");
  EXPECT_FALSE(fs::exists(folder / "new")) << "to ask makes nothing";
  fs::create_directory(folder / "key.cubin");
  const CubinCache taken(folder.path());
  taken.store("key", cubin);
  EXPECT_EQ(taken.load("key"), std::nullopt) << "a folder has the entry's name";
}

TEST(CubinCache, AFullDiskKeepsTheOldEntryAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  const CubinCache cache(folder.path());
  cache.store("key", cubin);
  {
    const FileSizeLimit full(1000);
    cache.store("key", cubin + cubin);
    cache.store("another", cubin);
  }
  EXPECT_EQ(cache.load("key"), cubin);
  EXPECT_EQ(cache.load("another"), std::nullopt);
  EXPECT_EQ(folder.size(), 1u);
}

/// Stores and loads one key over and over; whether every load found a whole entry.
bool races_well(const fs::path& folder, char mine) {
  const CubinCache cache(folder);
  for (int round = 0; round < 50; ++round) {
    cache.store("key", std::string(20'000, mine));
    const auto found = cache.load("key");
    if (!found || found->size() != 20'000 || *found != std::string(20'000, found->front()))
      return false;
  }
  return true;
}

TEST(CubinCache, ThreadsAndProcessesThatRaceFindWholeEntries) {
  const TemporaryFolder folder;
  std::vector<pid_t> children;
  for (const char mine : {'a', 'b', 'c'}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(races_well(folder.path(), mine) ? 0 : 1);
    children.push_back(child);
  }
  std::array<bool, 3> well{};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < well.size(); ++i)
      threads.emplace_back([&, i] { well[i] = races_well(folder.path(), "xyz"[i]); });
  }
  for (const bool one : well) EXPECT_TRUE(one);
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(folder.size(), 1u);
}

TEST(CubinCache, IsInTheFolderThatTheEnvironmentNames) {
  const EnvironmentVariable home("HOME", "/home/somebody");
  const EnvironmentVariable cache("XDG_CACHE_HOME", nullptr);
  const EnvironmentVariable own("ITO_CACHE_DIR", nullptr);
  EXPECT_EQ(CubinCache::default_folder(), "/home/somebody/.cache/ito");
  {
    const EnvironmentVariable relative("XDG_CACHE_HOME", "caches");
    EXPECT_EQ(CubinCache::default_folder(), "/home/somebody/.cache/ito");
    const EnvironmentVariable absolute("XDG_CACHE_HOME", "/caches");
    EXPECT_EQ(CubinCache::default_folder(), "/caches/ito");
    const EnvironmentVariable named("ITO_CACHE_DIR", "kernels");
    EXPECT_EQ(CubinCache::default_folder(), "kernels");
    const EnvironmentVariable none("ITO_CACHE_DIR", "");
    EXPECT_EQ(CubinCache::default_folder(), "");
  }
  const EnvironmentVariable homeless("HOME", nullptr);
  EXPECT_EQ(CubinCache::default_folder(), "");
}

}  // namespace
}  // namespace ito::cuda
