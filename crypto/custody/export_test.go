package custody

// Disk is the seam that fault tests replace.
type Disk = disk

// OSDisk is the real file system.
type OSDisk = osDisk

var (
	CreateOn         = create
	CreateKeystoreOn = createKeystore
	UpdateKeystoreOn = updateKeystore
	ProtectOn        = protect
	UnprotectOn      = unprotect
	LimitOn          = limit
	WriteFileOn      = writeFile
)

// DecodeAny tells the fuzz targets whether data is a root file or a keystore,
// and gives its canonical encoding.
func DecodeAny(data []byte) (root, store []byte) {
	if f, err := decodeRoot(data); err == nil {
		root = encodeFile(f)
	}
	if f, err := decodeKeystore(data); err == nil {
		store = encodeFile(f)
	}
	return root, store
}

// PrepareOn, ActivateOn and RetireOn are the steps of a rotation on another disk.
func PrepareOn(d Disk, x Rotation, p ...Protector) error     { return x.prepare(d, p) }
func ActivateOn(d Disk, x Rotation, r Root, next Root) error { return x.activate(d, r, next) }
func RetireOn(d Disk, x Rotation, r Root) error              { return x.retire(d, r) }

// ReplaceFile puts data in the place of a file and overwrites the old one.
func ReplaceFile(path string, data []byte) error { return replaceFile(osDisk{}, path, data) }
