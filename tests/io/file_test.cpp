#include "io/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>

#include "file_size_limit.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

namespace ito {
namespace {

const std::string megabytes(3'000'000, 'x');

TEST(AtomicFile, HoldsExactlyWhatWasWritten) {
  const TemporaryFolder folder;
  std::string expected;
  AtomicFile out(folder / "a");
  for (int i = 0; i < 100'000; ++i) {
    const std::string part = std::to_string(i * 7919);
    out.write(part);
    expected += part;
  }
  out.write(megabytes);
  out.commit();
  EXPECT_EQ(read_file(folder / "a"), expected + megabytes);
  EXPECT_EQ(folder.size(), 1U);
}

TEST(AtomicFile, AnEmptyFileIsAFile) {
  const TemporaryFolder folder;
  write_file(folder / "a", "");
  EXPECT_EQ(read_file(folder / "a"), "");
}

TEST(AtomicFile, IsNotThereBeforeCommitAndLeavesNothingWithoutIt) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile out(folder / "a");
    out.write("new");
    EXPECT_EQ(read_file(folder / "a"), "old");
  }
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(folder.size(), 1U);
}

TEST(AtomicFile, ReplacesAndKeepsPermissions) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  ASSERT_EQ(chmod((folder / "a").c_str(), 0640), 0);
  write_file(folder / "a", "new");
  EXPECT_EQ(read_file(folder / "a"), "new");
  struct stat status {};
  ASSERT_EQ(stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST(AtomicFile, WritesThroughASymbolicLink) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  std::filesystem::create_symlink("a", folder / "link");
  write_file(folder / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "a"), "new");
}

TEST(AtomicFile, WritesThroughSymbolicLinksToWhatDoesNotExistYet) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_symlink("sub/middle", folder / "link");
  std::filesystem::create_symlink("../a", folder / "sub/middle");
  write_file(folder / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "sub/middle"));
  EXPECT_EQ(read_file(folder / "a"), "new");
}

TEST(AtomicFile, AFullDiskLeavesTheEarlierFile) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  std::string message;
  {
    const FileSizeLimit limit(1'000'000);
    message = refusal([&] { write_file(folder / "a", megabytes); });
  }
  EXPECT_EQ(message, (folder / "a").string() + ": cannot write: File too large");
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(folder.size(), 1U);
}

TEST(AtomicFile, LeavesTheSignalMaskAsItWas) {
  const TemporaryFolder folder;
  {
    const FileSizeLimit limit(10);
    refusal([&] { write_file(folder / "a", megabytes); });
  }
  sigset_t mask, pending;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  sigpending(&pending);
  EXPECT_EQ(sigismember(&mask, SIGXFSZ), 0);
  EXPECT_EQ(sigismember(&pending, SIGXFSZ), 0);
}

TEST(AtomicFile, RefusesWhatIsNoRegularFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      refusal([&] { write_file(folder.path(), ""); }),
      folder.path().string() + ": got a folder; accepted: the name of a regular file to write");
  EXPECT_EQ(refusal([] { write_file("/dev/null", ""); }),
            "/dev/null: got a special file; accepted: the name of a regular file to write");
  EXPECT_EQ(refusal([&] { write_file(folder / "no/a", ""); }),
            (folder / "no/a").string() +
                ": cannot create a file in its folder: No such file or directory");
}

TEST(ReadFile, NamesTheFileAndTheReason) {
  const TemporaryFolder folder;
  EXPECT_EQ(refusal([&] { read_file(folder / "a"); }),
            (folder / "a").string() + ": cannot open: No such file or directory");
  EXPECT_EQ(refusal([&] { read_file(folder.path()); }),
            folder.path().string() + ": cannot read: Is a directory");
}

}  // namespace
}  // namespace ito
