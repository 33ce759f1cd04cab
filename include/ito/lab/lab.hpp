#pragma once

/// Methods that stand on the core: samplers, Föllmer drifts and estimates without discretisation
/// error. Link ito::lab.
#include <ito/lab/follmer.hpp>
#include <ito/lab/kalman.hpp>
#include <ito/lab/multilevel.hpp>
#include <ito/lab/random_mesh.hpp>
#include <ito/lab/sampler.hpp>
#include <ito/lab/series_data.hpp>
#include <ito/lab/target.hpp>
