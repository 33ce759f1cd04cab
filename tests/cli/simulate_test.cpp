#include <cmath>

#include <nlohmann/json.hpp>

#include "cli/fixture.hpp"
#include "io/npy.hpp"

namespace {

template <class Real>
std::vector<Real> array(const std::string& file, const std::string& name) {
  for (const ito::Array& one : ito::read_npz(file))
    if (one.name == name) return one.values<Real>();
  throw std::runtime_error("no array " + name + " in " + file);
}

class Simulate : public ProgramTest {
 protected:
  Simulate() {
    EXPECT_EQ(run({"init", at("sde.json"), "--seed", "5", "--out", at("p.safetensors")}).status, 0);
    // A fresh control is zero; paths of these parameters have energy.
    for (std::size_t i = 0; i < parameters.size(); ++i)
      parameters.values()[i] += 0.1f * static_cast<float>(i % 7) - 0.3f;
    ito::save_safetensors(parameters, at("p.safetensors"));
    wide.assign(parameters.values().begin(), parameters.values().end());
  }

  Outcome simulate(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"simulate",          at("sde.json"), "--params",
                                       at("p.safetensors"), "--seed",       "11"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  ito::Model model = ito::parse_model(small_sde);
  ito::Parameters parameters = ito::initialize(model, 5);
  std::vector<double> wide;
};

TEST_F(Simulate, OnTheReferenceWritesTheDoublesOfTheLibrary) {
  ASSERT_EQ(
      simulate({"--paths", "37", "--device", "reference", "--intervals", "--out", at("o.npz")})
          .status,
      0);
  ito::DoublePlan plan(model, ito::Device::reference());
  const ito::DoublePaths paths =
      plan.simulate(wide, {.paths = 37, .seed = 11}, {.intervals = true});
  EXPECT_EQ(array<double>(at("o.npz"), "x"), paths.states());
  EXPECT_EQ(array<double>(at("o.npz"), "energy"), paths.energy());
  EXPECT_EQ(array<double>(at("o.npz"), "martingale"), paths.martingale());
  EXPECT_EQ(array<double>(at("o.npz"), "interval_energy"), paths.interval_energy());
  EXPECT_EQ(array<double>(at("o.npz"), "interval_martingale"), paths.interval_martingale());
  EXPECT_EQ(array<std::uint8_t>(at("o.npz"), "status"), paths.status());
  EXPECT_GT(paths.energy().front(), 0.0);
}

TEST_F(Simulate, WritesTheShapesItPromises) {
  ASSERT_EQ(simulate({"--paths", "5", "--out", at("o.npz")}).status, 0);
  std::map<std::string, std::vector<std::size_t>> shapes;
  for (const ito::Array& one : ito::read_npz(at("o.npz"))) shapes[one.name] = one.shape;
  const std::map<std::string, std::vector<std::size_t>> promised{
      {"x", {5, 3, 2}}, {"energy", {5}}, {"martingale", {5}}, {"status", {5}}};
  EXPECT_EQ(shapes, promised);
}

TEST_F(Simulate, GivesTheSamePathsInOneRunAndInTwo) {
  ASSERT_EQ(simulate({"--paths", "40", "--out", at("all.npz")}).status, 0);
  ASSERT_EQ(simulate({"--paths", "13", "--out", at("a.npz")}).status, 0);
  ASSERT_EQ(simulate({"--paths", "27", "--first-path", "13", "--out", at("b.npz")}).status, 0);
  for (const char* name : {"x", "energy", "martingale"}) {
    std::vector<float> joined = array<float>(at("a.npz"), name);
    const std::vector<float> second = array<float>(at("b.npz"), name);
    joined.insert(joined.end(), second.begin(), second.end());
    EXPECT_EQ(joined, array<float>(at("all.npz"), name)) << name;
  }
}

TEST_F(Simulate, OfThePriorHasNoEnergyAndItsOwnPaths) {
  ASSERT_EQ(simulate({"--paths", "9", "--prior", "--out", at("o.npz")}).status, 0);
  ito::Plan plan(ito::prior(model));
  const ito::Paths paths = plan.simulate(parameters, {.paths = 9, .seed = 11});
  EXPECT_EQ(array<float>(at("o.npz"), "x"), paths.states());
  EXPECT_EQ(array<float>(at("o.npz"), "energy"), std::vector<float>(9, 0.0f));
}

TEST_F(Simulate, StartsWhereX0Says) {
  const std::vector<double> x0{0.25, -3.5};
  ito::write_npy(at("x0.npy"), {"", {2}, std::span<const double>(x0)});
  ASSERT_EQ(simulate({"--paths", "3", "--x0", at("x0.npy"), "--out", at("o.npz")}).status, 0);
  const std::vector<float> x = array<float>(at("o.npz"), "x");
  for (std::size_t path = 0; path < 3; ++path) {
    EXPECT_EQ(x[path * 6], 0.25f);
    EXPECT_EQ(x[path * 6 + 1], -3.5f);
  }
  const std::vector<double> transposed{1, 2, 3, 4, 5, 6};
  ito::write_npy(at("x0.npy"), {"", {2, 3}, std::span<const double>(transposed)});
  expect_error(simulate({"--paths", "3", "--x0", at("x0.npy"), "--out", at("o.npz")}), 1,
               {"--x0", "[2, 3]", "2"});
}

TEST_F(Simulate, CountsPathsThatAreNotFinite) {
  // The drift is 1e38 all the way: one path gets there, the other beyond the largest float.
  parameters["drift.1.bias"][0] = 1e38f;
  ito::save_safetensors(parameters, at("p.safetensors"));
  const std::vector<double> x0{0.0, 0.0, 3e38, 0.0};
  ito::write_npy(at("x0.npy"), {"", {2, 2}, std::span<const double>(x0)});
  const Outcome outcome = simulate({"--paths", "2", "--x0", at("x0.npy"), "--out", at("o.npz")});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.err.find("1 of 2 paths are not finite"), std::string::npos) << outcome.err;
  EXPECT_EQ(array<std::uint8_t>(at("o.npz"), "status"), (std::vector<std::uint8_t>{0, 1}));
}

TEST_F(Simulate, NamesTheRowAndColumnOfAStartThatIsNotFinite) {
  const auto starting = [&](std::vector<double> x0, const std::string& device) {
    ito::write_npy(at("x0.npy"), {"", {2, 2}, std::span<const double>(x0)});
    return simulate(
        {"--paths", "2", "--x0", at("x0.npy"), "--device", device, "--out", at("o.npz")});
  };
  expect_error(starting({0, 0, NAN, 0}, "cpu"), 1,
               {"--x0: ", "x0.npy, row 2, column 1: got nan", "finite numbers up to 3.4e+38"});
  expect_error(starting({0, -INFINITY, 0, 0}, "cpu"), 1, {"x0.npy, row 1, column 2: got -inf"});
  expect_error(starting({0, 1e39, 0, 0}, "cpu"), 1, {"x0.npy, row 1, column 2: got 1e+39"});
  EXPECT_EQ(starting({0, 1e39, 0, 0}, "reference").status, 0) << "a double";
}

TEST_F(Simulate, GoesOnFromTheLastSaveOfAnotherRun) {
  ASSERT_EQ(simulate({"--paths", "3", "--out", at("first.npz")}).status, 0);
  ASSERT_EQ(simulate({"--paths", "3", "--x0", at("first.npz"), "--out", at("second.npz")}).status,
            0);
  const auto first = array<float>(at("first.npz"), "x"),
             second = array<float>(at("second.npz"), "x");
  for (std::size_t path = 0; path < 3; ++path) {  // saved at steps 0, 4, 8
    EXPECT_EQ(second[path * 6], first[path * 6 + 4]);
    EXPECT_EQ(second[path * 6 + 1], first[path * 6 + 5]);
  }
  const Outcome named =
      simulate({"--paths", "3", "--x0", at("first.npz") + ":x", "--out", at("third.npz")});
  ASSERT_EQ(named.status, 0) << named.err;
  EXPECT_EQ(array<float>(at("third.npz"), "x"), second);
  expect_error(
      simulate({"--paths", "3", "--x0", at("first.npz") + ":energy", "--out", at("o.npz")}), 1,
      {"--x0: got shape [3]", "[paths, 2]"});
  const std::vector<double> deep(6);
  ito::write_npy(at("x0.npy"), {"", {1, 3, 2}, std::span<const double>(deep)});
  expect_error(simulate({"--paths", "3", "--x0", at("x0.npy"), "--out", at("o.npz")}), 1,
               {"--x0: got shape [1, 3, 2]", "[paths, 2]"});
}

TEST_F(Simulate, RefusesAStartThatIsNoArrayByWhatItIs) {
  expect_error(simulate({"--paths", "3", "--x0", at("data.csv"), "--out", at("o.npz")}), 1,
               {"--x0: ", "data.csv: got a file of another kind", "a .npy or .npz file"});
  expect_error(simulate({"--paths", "3", "--x0", at("p.safetensors"), "--out", at("o.npz")}), 1,
               {"--x0: ", "p.safetensors: got a safetensors file", "a .npy or .npz file"});
}

TEST_F(Simulate, TakesTheSdeOutOfALatentModelAndContextForItsPaths) {
  ASSERT_EQ(run({"init", at("latent.json"), "--out", at("latent.safetensors")}).status, 0);
  const std::vector<double> context{0.5, -1.0, 2.0, 0.0};
  ito::write_npy(at("c.npy"), {"", {2, 1, 2}, std::span<const double>(context)});
  const std::vector<std::string> arguments{"simulate",  at("latent.json"),
                                           "--params",  at("latent.safetensors"),
                                           "--paths",   "32",
                                           "--seed",    "11",
                                           "--context", at("c.npy"),
                                           "--out",     at("o.npz")};
  ASSERT_EQ(run(arguments).status, 0);
  const ito::LatentModel latent = ito::parse_latent_model(small_latent_model);
  const std::vector<float> narrow(context.begin(), context.end());
  ito::Plan plan(latent.model);
  const ito::Paths paths =
      plan.simulate(ito::initialize(latent, 1),
                    {.paths = 32, .seed = 11, .context = narrow, .paths_per_observation = 16});
  EXPECT_EQ(array<float>(at("o.npz"), "x"), paths.states());

  const std::vector<double> spoilt{0.5, -1.0, 2.0, NAN};
  ito::write_npy(at("c.npy"), {"", {2, 1, 2}, std::span<const double>(spoilt)});
  expect_error(run(arguments), 1, {"--context: ", "c.npy, row 2, column 2: got nan"});

  std::vector<std::string> without = arguments;
  without.erase(without.begin() + 8, without.begin() + 10);
  expect_error(run(without), 1, {"--context", "2 numbers", "--prior"});
  without.push_back("--prior");
  EXPECT_EQ(run(without).status, 0);
}

TEST_F(Simulate, TakesAPrecisionWhereTheDeviceHasIt) {
  const auto status = [&](const std::string& device, const std::string& precision) {
    return simulate(
               {"--paths", "2", "--device", device, "--precision", precision, "--out", at("o.npz")})
        .status;
  };
  EXPECT_EQ(status("cpu", "fp32"), 0);
  EXPECT_EQ(status("reference", "fp32"), 0);
  EXPECT_EQ(status("reference", "fp64"), 0);
  EXPECT_EQ(status("cpu", "fp64"), 1);
  EXPECT_EQ(status("cpu", "fast"), 1);
  EXPECT_EQ(status("reference", "fast"), 1);
}

TEST(Info, SaysWhereKernelsCannotBeKept) {
  const auto info = [](const std::string& folder, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"info"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, {.variables = {"ITO_CACHE_DIR=" + folder}});
  };
  // /proc refuses even the superuser.
  const Outcome outcome = info("/proc/ito");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("compiled kernels /proc/ito (0.0 MiB); more cannot be kept, so every "
                             "run compiles its own: /proc/ito: cannot create a file"),
            std::string::npos)
      << outcome.out;
  const auto cuda = nlohmann::json::parse(info("/proc/ito", {"--json"}).out)["cuda"];
  EXPECT_TRUE(cuda["cache_refusal"].is_string()) << cuda;
  EXPECT_TRUE(nlohmann::json::accept(info("/proc/\xff", {"--json"}).out));
  const std::filesystem::path folder = new_folder();
  const auto good = nlohmann::json::parse(info(folder / "new" / "er", {"--json"}).out)["cuda"];
  EXPECT_TRUE(good["cache_refusal"].is_null()) << good;
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "to ask makes nothing";
  std::filesystem::remove_all(folder);
}

TEST(Info, ListsTheEnginesThatRunHere) {
  const Outcome outcome = run({"info", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::vector<std::string> engines{"cpu", "cuda", "reference"};
  if (ito::Device::best() == ito::Device::cpu()) engines.erase(engines.begin() + 1);
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["engines"], engines);
}

}  // namespace
