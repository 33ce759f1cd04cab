#include <csignal>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/fixture.hpp"

namespace fs = std::filesystem;

namespace {

using Arguments = std::vector<std::string>;

/// A run in the test's folder.
struct Written {
  std::string name;     ///< of the command
  Arguments arguments;  ///< long enough to be stopped in the middle
  std::string lock;
  Arguments shorter;  ///< writes the same
};

/// Tests with and without locks of the file system.
class Lock : public ProgramTest, public testing::WithParamInterface<bool> {
 protected:
  Lock() {
    EXPECT_EQ(run({"init", at("sde.json"), "--out", at("p.safetensors")}).status, 0);
    EXPECT_EQ(run({"init", at("latent.json"), "--out", at("l.safetensors")}).status, 0);
  }

  Surroundings around() const { return {.file_locks = GetParam()}; }

  Arguments fit(const std::string& epochs, const Arguments& more = {}) const {
    Arguments arguments = fit_arguments({"--epochs", epochs, "--quiet"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Arguments gradient(const std::string& paths) const {
    return {"gradient", at("sde.json"), "--params", at("p.safetensors"),
            "--paths",  paths,          "--loss",   R"({"energy": 1})",
            "--out",    at("out")};
  }
  Arguments study(const std::string& effort) const {
    return {"study", "paper", "--effort", effort, "--seeds", "1", "--out", at("o")};
  }
  Arguments simulate(const std::string& out, const std::string& paths = "10000000") const {
    return {"simulate", at("sde.json"), "--params", at("p.safetensors"),
            "--paths",  paths,          "--out",    at(out)};
  }
  std::vector<Written> long_runs() const {
    return {{"fit", fit("1000000"), "fit/.ito-lock", fit("1")},
            {"study", study("1"), "o/.ito-lock", study("0.001")},
            {"simulate", simulate("out"), ".ito-lock-out", simulate("out", "1")},
            {"gradient", gradient("4000000"), ".ito-lock-out", gradient("1")}};
  }

  /// Starts a run and stops it, once it owns its output.
  std::unique_ptr<Program> stopped(const Written& run) const {
    auto program = std::make_unique<Program>(run.arguments, around());
    EXPECT_TRUE(wait_for(*program, [&] { return fs::exists(folder / run.lock); }))
        << run.name << ": " << program->err();
    program->send(SIGSTOP);
    return program;
  }

  /// Leaves the lock of a run that was killed, and gives its owner's file.
  fs::path abandoned(const Written& run) const {
    const auto program = stopped(run);
    program->send(SIGKILL);
    program->wait();
    for (const auto& entry : fs::directory_iterator(folder / run.lock))
      if (entry.path().filename().string().starts_with("pid=")) return entry.path();
    ADD_FAILURE() << "no owner in " << run.lock;
    return {};
  }

  /// Replaces the value of a field of an owner's file.
  static void change(fs::path& owner, const std::string& key, const std::string& value) {
    std::string name = owner.filename().string();
    const auto begin = name.find(key + "=") + key.size() + 1;
    name.replace(begin, std::min(name.find(',', begin), name.size()) - begin, value);
    fs::rename(owner, owner.parent_path() / name);
    owner = owner.parent_path() / name;
  }
};

INSTANTIATE_TEST_SUITE_P(FileSystems, Lock, testing::Bool(), [](const auto& parameter) {
  return std::string(parameter.param ? "WithLocks" : "WithoutLocks");
});

TEST_P(Lock, RefusesASecondRunWithTheFirstOnesProcess) {
  for (const Written& first : long_runs()) {
    SCOPED_TRACE(first.name);
    const auto before = listing(folder);
    const auto owner = stopped(first);
    const std::string process = fmt::format("process {} on host", owner->process());
    std::vector<Arguments> others{first.shorter};
    if (first.name == "fit") {
      others.push_back(fit("1", {"--resume"}));
      others.push_back(fit("1", {"--overwrite"}));
      others.push_back({"orders", "strong", "--effort", "0.001", "--out", at("fit")});
    } else if (first.name != "study") {
      others.push_back({"init", at("sde.json"), "--out", at("out")});
      fs::create_symlink("out", folder / "link");
      others.push_back({"init", at("sde.json"), "--out", at("link")});
    }
    for (const Arguments& other : others)
      expect_error(run(other, around()), 1, {"--out: got", at(""), process, "accepted: another"});
    fs::remove(folder / "link");
    // What has another name is nobody's concern.
    EXPECT_EQ(run({"init", at("sde.json"), "--out", at("other")}, around()).status, 0);
    fs::remove(folder / "other");
    owner->send(SIGTERM);
    owner->send(SIGINT);  // the second ends it at once
    owner->send(SIGCONT);
    owner->wait();
    fs::remove_all(folder / "fit");
    EXPECT_EQ(listing(folder), before);
  }
}

TEST_P(Lock, OfAKilledProcessIsTakenOverAndWhatItLeftIsRemoved) {
  const auto before = listing(folder);
  const auto expect_clear = [&](const Arguments& next, const fs::path& out) {
    const Outcome outcome = run(next, around());
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    fs::remove_all(folder / out);
    EXPECT_EQ(listing(folder), before);
  };
  for (const Written& first : long_runs()) {
    SCOPED_TRACE(first.name);
    abandoned(first);
    if (first.name == "fit") {
      expect_clear(fit_arguments({"--epochs", "1", "--quiet", "--overwrite"}), "fit");
    } else if (first.name == "study") {
      expect_clear(first.shorter, "o");
    } else {
      write(folder / first.lock / "half-written", "");
      expect_clear(simulate("out", "1"), "out");
      abandoned(first);
      expect_clear(simulate("neighbour", "1"), "neighbour");
    }
  }
}

TEST_P(Lock, IsStaleWhereItsProcessNumberIsAnotherProcesssOrTheMachineWasStartedAnew) {
  const Written first = long_runs()[2];
  fs::path owner = abandoned(first);
  change(owner, "pid", fmt::format("{}", ::getpid()));
  EXPECT_EQ(run(simulate("out", "1"), around()).status, 0);
  owner = abandoned(first);
  change(owner, "pid", "1");
  change(owner, "boot", "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(run(simulate("out", "1"), around()).status, 0);
  EXPECT_FALSE(fs::exists(folder / first.lock));
  owner = abandoned(first);
  change(owner, "boot", "00000000-0000-0000-0000-000000000000");
  change(owner, "machine", "another-of-the-same-name");
  expect_error(run(simulate("out", "1"), around()), 1, {"cannot be checked"});
}

TEST_P(Lock, OfAnotherHostCannotBeCheckedAndIsNamed) {
  for (const Written& first : {long_runs()[0], long_runs()[2]}) {
    SCOPED_TRACE(first.name);
    fs::path owner = abandoned(first);
    change(owner, "boot", "00000000-0000-0000-0000-000000000000");
    change(owner, "host", "elsewhere");
    expect_error(run(first.shorter, around()), 1,
                 {"--out: got", "elsewhere", "cannot be checked", "remove " + at(first.lock)});
    // Nor is it cleared for a neighbour.
    EXPECT_EQ(run({"init", at("sde.json"), "--out", at("neighbour")}, around()).status, 0);
    EXPECT_TRUE(fs::exists(owner));
    fs::remove_all(folder / first.lock);
  }
  EXPECT_EQ(run(simulate("out", "1"), around()).status, 0);
  EXPECT_EQ(run(fit_arguments({"--epochs", "1", "--quiet"}), around()).status, 0);
}

TEST_P(Lock, OfAnotherContainerIsCheckedByTheKernelWhereItCan) {
  const Written first = long_runs()[2];
  fs::path owner = abandoned(first);
  change(owner, "processes", "pid:[1]");
  change(owner, "host", "container");
  if (GetParam()) {
    EXPECT_EQ(run(simulate("out", "1"), around()).status, 0);
  } else {
    expect_error(run(simulate("out", "1"), around()), 1, {"container", "cannot be checked"});
  }
}

TEST_P(Lock, IsNotLeftBehindBySignalsAndNoTemporaryFileIs) {
  const auto before = listing(folder);
  const std::vector<Written> runs = long_runs();
  // InterruptedStudy has the same of a study.
  const std::vector<std::pair<Written, int>> cases{{runs[0], SIGTERM},
                                                   {runs[2], SIGINT},
                                                   {runs[2], SIGTERM},
                                                   {runs[2], SIGHUP},
                                                   {runs[3], SIGHUP}};
  for (const auto& [run, signal] : cases) {
    SCOPED_TRACE(fmt::format("{} {}", run.name, signal));
    const auto program = stopped(run);
    program->send(signal);
    program->send(SIGCONT);
    const Outcome outcome = program->wait();
    EXPECT_EQ(outcome.status, 128 + signal) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    fs::remove_all(folder / "fit/unfinished");
    fs::remove(folder / "fit");
    EXPECT_EQ(listing(folder), before);
  }
}

TEST_P(Lock, IsNotLeftBehindByErrors) {
  const auto before = listing(folder);
  write(folder / "bad.json", "{}");
  EXPECT_EQ(run({"init", at("bad.json"), "--out", at("out")}, around()).status, 1);
  Arguments arguments = fit("1");
  arguments[1] = at("bad.json");
  EXPECT_EQ(run(arguments, around()).status, 1);
  EXPECT_EQ(run({"sample", at("none"), "--count", "1", "--out", at("out")}, around()).status, 1);
  fs::remove(folder / "bad.json");
  EXPECT_EQ(listing(folder), before);
}

}  // namespace
